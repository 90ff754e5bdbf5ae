"""Event ids: UUID version 7, in the order of the log.

The 12 bits after the version hold the microsecond within the millisecond, so that ids of one
book sort like its positions (recorded times are strictly increasing); 60 bits are random.
"""

import os
from collections.abc import Callable

_EPOCH_MS = 946_684_800_000
"""2000-01-01 UTC, from which `rows.microseconds` counts, in Unix milliseconds."""
_DRAW = 512


def event_ids() -> Callable[[int], str]:
    """A source of event ids: microseconds since 2000-01-01 UTC in, UUID text out."""
    pool: list[str] = []
    last_ms, prefix = -1, ""

    def new_id(recorded_us: int) -> str:
        nonlocal last_ms, prefix
        if not pool:
            drawn = os.urandom(8 * _DRAW).hex()
            pool.extend([drawn[i : i + 15] for i in range(0, 16 * _DRAW, 16)])
        ms, us = divmod(recorded_us, 1000)
        if ms != last_ms:
            stamp = f"{ms + _EPOCH_MS:012x}"
            last_ms, prefix = ms, f"{stamp[:8]}-{stamp[8:]}-7"
        random = pool.pop()
        return f"{prefix}{us:03x}-8{random[:3]}-{random[3:]}"

    return new_id
