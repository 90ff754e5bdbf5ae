"""Event ids: UUID version 7, in the order of the log.

The 12 bits after the version hold the microsecond within the millisecond, so that ids of one
book sort like its positions (recorded times are strictly increasing); 60 bits are random.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DRAW = 512


def event_ids() -> Callable[[datetime], str]:
    """A source of event ids: recorded time in, UUID text out."""
    pool: list[str] = []

    def new_id(recorded_at: datetime) -> str:
        if not pool:
            drawn = os.urandom(8 * _DRAW).hex()
            pool.extend([drawn[i : i + 15] for i in range(0, 16 * _DRAW, 16)])
        delta = recorded_at - _EPOCH
        ms, us = divmod(delta.microseconds, 1000)
        stamp = f"{(delta.days * 86_400 + delta.seconds) * 1000 + ms:012x}"
        random = pool.pop()
        return f"{stamp[:8]}-{stamp[8:]}-7{us:03x}-8{random[:3]}-{random[3:]}"

    return new_id
