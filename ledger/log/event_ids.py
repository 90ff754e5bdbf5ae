"""Event ids: UUID version 7, in the order of the log.

The 12 bits after the version hold the microsecond within the millisecond. Recorded times of a
book are strictly increasing, so its ids sort like its positions and cannot meet; the 60 random
bits, drawn anew every millisecond, keep the ids of several books apart.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

#: 2000-01-01 UTC, from which `rows.microseconds` counts, in Unix milliseconds.
_EPOCH_MS = 946_684_800_000
_US_TEXT = [f"{us:03x}" for us in range(1000)]
_US_BYTES = [(0x7000 | us).to_bytes(2, "big") for us in range(1000)]

#: The same UUID as text and as 16 bytes.
EventId = tuple[str, bytes]


def event_ids(
    drawn: Callable[[int], bytes] = lambda _ms: os.urandom(8),
) -> Callable[[int], EventId]:
    """A source of event ids: microseconds since 2000-01-01 UTC in.

    `drawn` answers the 8 bytes behind the time for a millisecond.
    """
    begun_us, before, after = -1_000, "", ""
    head, tail = b"", b""

    def new_id(recorded_us: int) -> EventId:
        nonlocal begun_us, before, after, head, tail
        us = recorded_us - begun_us
        if not 0 <= us < 1000:
            ms, us = divmod(recorded_us, 1000)
            begun_us = recorded_us - us
            head = (ms + _EPOCH_MS).to_bytes(6, "big")
            rest = drawn(ms)
            tail = bytes((0x80 | rest[0] >> 4, *rest[1:]))
            before = f"{head[:4].hex()}-{head[4:].hex()}-7"
            after = f"-{tail[:2].hex()}-{tail[2:].hex()}"
        return f"{before}{_US_TEXT[us]}{after}", head + _US_BYTES[us] + tail

    return new_id


_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END = datetime.max.replace(tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def time_of(event_id: UUID) -> datetime:
    """When the event of this id was recorded; the end of time for an id that nobody made here."""
    high = event_id.int >> 64
    try:
        return _UNIX_EPOCH + ((high >> 16) * 1_000 + (high & 0xFFF)) * _MICROSECOND
    except OverflowError:
        return _END
