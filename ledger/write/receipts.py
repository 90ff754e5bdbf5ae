"""Receipts: what a request was answered, for ever and byte for byte.

Of an accepted request only the positions of its events are kept: the log holds the rest, and
`render` makes the same bytes of it every time. Rejections are kept as they were sent.
"""

from collections.abc import Sequence

import msgspec

from domain.rejections import IDEMPOTENCY_KEY_REUSED, REFERENCE_TAKEN, Rejection, reject
from ledger import logs
from ledger.log.entry import decode
from ledger.write.answer import Answer, AnsweredEvent
from ledger.write.request import Request

log = logs.get_logger(__name__)


class KnownAnswers(dict[bytes, tuple[bytes, Answer]]):
    """What requests were answered, by key: (fingerprint, answer)."""

    def to(self, request: Request) -> tuple[bytes, Answer] | None:
        """What is known under the request's key.

        A notice may have been answered while its command was no part of its key; that answer holds
        if it was to the same command.
        """
        known = self.get(request.key)
        if known is None and request.former_key:
            known = self.get(request.former_key)
            if known is not None and known[1].command != request.name:
                return None
        return known


def key_taken(request: Request) -> Rejection:
    """The rejection of other fields under a known key; of a notice, somebody must be told."""
    notice = request.command.notice_id()
    if notice is None:
        return reject(IDEMPOTENCY_KEY_REUSED)
    log.error(
        "a notice contradicts an earlier one under its reference",
        command=request.name,
        processor=notice[0],
        processor_ref=notice[1],
        correlation_id=request.correlation_id,
    )
    return reject(REFERENCE_TAKEN, processor_ref=notice[1])


def remembered(
    position: int,
    status: int,
    code: str | None,
    body: bytes | None,
    entries: Sequence[tuple[int, bytes]],
) -> Answer:
    """The first answer again, from its receipt and the (position, entry) of its events."""
    if body is not None:
        command = _answers.decode(body).command
        return Answer(status=status, position=position, command=command, code=code, rendered=body)
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


class _Named(msgspec.Struct):
    """The command that an answer names; a rejection names none."""

    command: str = ""


_answers = msgspec.json.Decoder(_Named)
