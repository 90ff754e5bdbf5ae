"""The events of one thing, as a register shows them: what happened, who did it, what it posted."""

from collections.abc import Callable, Iterable
from typing import Any

from domain.event import Event
from ledger.log.entry import decode
from ledger.log.reading import Placed

#: Events that one answer shows.
HISTORY_MAX = 1_000


def event_history(
    rows: Iterable[Placed], status: Callable[[Event, int], str | None]
) -> list[dict[str, Any]]:
    """The events of the entries in `rows`.

    `status` is asked about each of them and its position, in order, and says how the thing stands
    after it; None leaves the event out.
    """
    found = []
    for position, data in rows:
        entry = decode(data)
        stands = status(entry.event(), position)
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
