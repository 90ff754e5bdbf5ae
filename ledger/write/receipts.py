"""Receipts: what a request was answered, for ever and byte for byte.

Of an accepted request only the positions of its events are kept: the log holds the rest, and
`render` makes the same bytes of it every time. Rejections are kept as they were sent.
"""

from collections.abc import Sequence

from ledger.log.entry import decode
from ledger.write.answer import Answer, AnsweredEvent


def remembered(
    position: int,
    status: int,
    code: str | None,
    body: bytes | None,
    entries: Sequence[tuple[int, bytes]],
) -> Answer:
    """The first answer again, from its receipt and the (position, entry) of its events."""
    if body is not None:
        return Answer(status=status, position=position, command="", code=code, rendered=body)
    decoded = [(at, decode(data)) for at, data in entries]
    last = decoded[-1][1]
    return Answer(
        status=status,
        position=position,
        command=last.command,
        recorded_at=last.recorded_at,
        events=tuple(
            AnsweredEvent(at, entry.event_id, entry.type, bytes(entry.body))
            for at, entry in decoded
        ),
        code=code,
    )
