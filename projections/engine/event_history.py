"""The events of one thing, as a register shows them: what happened, who did it, what it posted."""

from collections.abc import Callable
from typing import Any

from domain.event import Event
from ledger.log import reading
from ledger.log.entry import decode
from ledger.postgres.database import Connection

#: Events that one answer shows.
HISTORY_MAX = 1_000


def event_history(
    connection: Connection, tag: str, until: int, status: Callable[[Event], str | None]
) -> list[dict[str, Any]]:
    """The events with a tag up to a position, at most 1,000, in order.

    `status` is asked about each of them, in order, and says how the thing stands after it; None
    leaves the event out.
    """
    found = []
    for position, data in reading.listing(connection, until=until, tag=tag, limit=HISTORY_MAX):
        entry = decode(data)
        stands = status(entry.event())
        if stands is not None:
            found.append(
                {
                    "position": position,
                    "event_id": entry.event_id,
                    "type": entry.type,
                    "status": stands,
                    "at": entry.recorded_at,
                    "principal": entry.principal,
                    "on_behalf_of": entry.on_behalf_of,
                    "postings": entry.postings,
                }
            )
    return found
