"""From decided events to rows of the log.

`CommandContext` is what all events of one command have in common, `PendingEvent` an event whose
place is fixed. Many become rows together, each step for all of them before the next step begins: a
processor that does one thing at a time needs a sixth less time for it (ADR 11).
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import chain

import msgspec

from domain.accounts import Assets, Posting, amount_of, balanced
from domain.event import EVENTS, Event
from domain.rejections import BODY_TOO_LARGE, Rejection, reject
from ledger.log.copy_rows import event_row, receipt_row
from ledger.log.entry import (
    ENTRY_BYTES_MAX,
    ENVELOPE_VERSION,
    EntryInOrder,
    body_of,
    canonical,
    in_order,
    leaf_hash,
)
from ledger.write.answer import Answer, AnsweredEvent
from ledger.write.request import Request


class Unencodable(Exception):
    """Some decided event cannot be encoded: decide the batch again one by one to learn whose."""


class EntryTooLarge(ValueError):
    """An entry over the limit that proofs can carry; its argument is its size in bytes."""

    @property
    def rejection(self) -> Rejection:
        """Why its command is refused."""
        size = self.args[0]
        return reject(BODY_TOO_LARGE, what="the entry", bytes=size, limit=ENTRY_BYTES_MAX)


class CommandContext(msgspec.Struct, frozen=True, gc=False):
    """The request, its book, and what was found out when it was decided.

    `code` is that of a suspended notice.
    """

    request: Request
    book: str
    assets: Assets
    occurred_at: datetime
    effective_on: date
    policy_version: int | None
    code: str | None


class PendingEvent(msgspec.Struct, frozen=True, gc=False):
    """An event with its place in the log; times in UTC, and as rows hold them."""

    event: Event
    tags: tuple[str, ...]
    context: CommandContext
    recorded: AnsweredEvent
    event_id: bytes
    recorded_at: datetime
    occurred_us: int
    recorded_us: int


#: Events that may name their own business date.
_DATED = {kind for kind in EVENTS.values() if kind.stated_date is not Event.stated_date}


def event_rows(events: Sequence[PendingEvent]) -> tuple[list[bytes], int]:
    """Rows of `events`, and their volume; sets the body of each recorded event on the way.

    Raises Unbalanced if postings do not add up, and EntryTooLarge.
    """
    decided = [pending.event for pending in events]
    bodies = [canonical(one) if one.labels is None else body_of(one) for one in decided]
    postings = [balanced(pending.event.postings(pending.context.assets)) for pending in events]
    entries = list(map(_entry, events, bodies, postings))
    largest = max(map(len, entries), default=0)
    if largest > ENTRY_BYTES_MAX:
        raise EntryTooLarge(largest)
    # An event's debits are half of what its legs move, for they balance in each asset.
    volume = sum(map(abs, map(amount_of, chain.from_iterable(postings)))) // 2
    if not all(postings):
        silent = zip(decided, postings, strict=True)
        volume += sum(event.unposted() for event, legs in silent if not legs)
    hashes = map(leaf_hash, entries)
    for pending, body in zip(events, bodies, strict=True):
        pending.recorded.body = body
    rows = [
        event_row(
            pending.recorded.position,
            pending.event_id,
            pending.recorded.type.encode(),
            pending.tags,
            occurred_us=pending.occurred_us,
            recorded_us=pending.recorded_us,
            data=data,
            leaf_hash=leaf,
        )
        for pending, data, leaf in zip(events, entries, hashes, strict=True)
    ]
    return rows, volume


def receipt_rows(answered: Iterable[tuple[Request, Answer]]) -> list[bytes]:
    """Rows of `receipts`."""
    return [
        receipt_row(
            request.key,
            request.fingerprint,
            answer.position,
            len(answer.events),
            status=answer.status,
            code=answer.code,
            body=answer.body if answer.released else answer.rendered,
        )
        for request, answer in answered
    ]


def _entry(pending: PendingEvent, body: bytes, postings: tuple[Posting, ...]) -> bytes:
    event, context, recorded = pending.event, pending.context, pending.recorded
    request = context.request
    return in_order(
        EntryInOrder(
            msgspec.Raw(body),
            context.book,
            None,
            request.client,
            request.name,
            request.correlation_id,
            context.assets.currency,
            (type(event) in _DATED and event.stated_date()) or context.effective_on,
            ENVELOPE_VERSION,
            recorded.event_id,
            request.fingerprint.hex(),
            request.key.hex(),
            event.labels,
            context.occurred_at,
            request.on_behalf_of,
            context.policy_version,
            postings,
            request.principal,
            pending.recorded_at,
            pending.tags,
            recorded.type,
        )
    )
