"""Event ids: UUID version 7, in the order of the log.

The 12 bits after the version hold the microsecond within the millisecond. Recorded times of a
book are strictly increasing, so its ids sort like its positions and cannot meet; the 60 random
bits, drawn anew every millisecond, keep the ids of several books apart.
"""

import os
from collections.abc import Callable

_EPOCH_MS = 946_684_800_000
"""2000-01-01 UTC, from which `rows.microseconds` counts, in Unix milliseconds."""


def event_ids() -> Callable[[int], str]:
    """A source of event ids: microseconds since 2000-01-01 UTC in, UUID text out."""
    last_ms, prefix, random = -1, "", ""

    def new_id(recorded_us: int) -> str:
        nonlocal last_ms, prefix, random
        ms, us = divmod(recorded_us, 1000)
        if ms != last_ms:
            stamp, drawn = f"{ms + _EPOCH_MS:012x}", os.urandom(8).hex()
            last_ms, prefix = ms, f"{stamp[:8]}-{stamp[8:]}-7"
            random = f"-8{drawn[:3]}-{drawn[3:15]}"
        return f"{prefix}{us:03x}{random}"

    return new_id
