"""Receipts: what a request was answered, for ever and byte for byte.

Of an accepted request only the positions of its events are kept: the log holds the rest, and
`render` makes the same bytes of it every time. Rejections are kept as they were sent.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from domain.rejections import (
    ANSWER_ARCHIVED,
    IDEMPOTENCY_KEY_REUSED,
    REFERENCE_TAKEN,
    Rejection,
    reject,
)
from ledger import logs
from ledger.log.entry import decode
from ledger.write.answer import Answer, AnsweredEvent, problem
from ledger.write.request import Request

log = logs.get_logger(__name__)

#: The command of an answer whose entries are archived: they alone said it.
_NOBODY_KNOWS = ""


class KnownAnswers(dict[bytes, tuple[bytes, Answer]]):
    """What requests were answered, by key: (fingerprint, answer)."""

    def recall(self, receipts: Iterable[tuple[Any, ...]], entries: Mapping[int, bytes]) -> None:
        """Take in rows of `receipts`; `entries` are those of their events, by position."""
        for key, fingerprint, position, events, status, code, body in receipts:
            places = range(position - events + 1, position + 1)
            if body is None and not all(at in entries for at in places):
                self[key] = fingerprint, archived(position)
                continue
            written = () if body is not None else [(at, entries[at]) for at in places]
            self[key] = fingerprint, remembered(position, status, code, body, written)

    def to(self, request: Request) -> tuple[bytes, Answer] | None:
        """What is known under the request's key.

        A notice may have been answered while its command was no part of its key; that answer holds
        if it was to the same command.
        """
        known = self.get(request.key)
        if known is None and request.former_key:
            known = self.get(request.former_key)
            if known is not None and known[1].command not in {request.name, _NOBODY_KNOWS}:
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


def archived(position: int) -> Answer:
    """The answer in place of one whose entries are archived: it was carried out, and only once."""
    rejection = reject(ANSWER_ARCHIVED, position=position)
    return Answer(
        status=rejection.reason.status,
        position=position,
        command=_NOBODY_KNOWS,
        code=rejection.reason.code,
        rendered=problem(rejection, ""),
    )


class _Named(msgspec.Struct):
    """The command that an answer names; a rejection names none."""

    command: str = ""


_answers = msgspec.json.Decoder(_Named)
