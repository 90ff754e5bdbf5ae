"""From decided events to rows of the log.

`Stamp` is what all events of one command have in common, `Draft` an event whose place is fixed.
Many drafts become rows together, each step for all of them before the next step begins: a
processor that does one thing at a time needs a sixth less time for it (ADR 11).
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime

import msgspec

from domain.accounts import Assets, Posting, balanced
from domain.event import Event
from ledger.log.copy_rows import event_row, receipt_row
from ledger.log.entry import ENTRY_BYTES_MAX, ENVELOPE_VERSION, Entry, canonical, leaf_hash
from ledger.write.answer import Answer, Recorded
from ledger.write.request import Request


class EntryTooLarge(ValueError):
    """An entry over the limit that proofs can carry; its argument is its size in bytes."""


class Stamp(msgspec.Struct, frozen=True, gc=False):
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


class Draft(msgspec.Struct, frozen=True, gc=False):
    """An event with its place in the log; times in UTC, and as rows hold them."""

    event: Event
    tags: tuple[str, ...]
    stamp: Stamp
    recorded: Recorded
    event_id: bytes
    recorded_at: datetime
    occurred_us: int
    recorded_us: int


def event_rows(drafts: Sequence[Draft]) -> list[bytes]:
    """Rows of `events`. What was `recorded` learns its body.

    Raises Unbalanced if postings do not add up, and EntryTooLarge.
    """
    bodies = [canonical(draft.event) for draft in drafts]
    postings = [balanced(draft.event.postings(draft.stamp.assets)) for draft in drafts]
    entries = list(map(_entry, drafts, bodies, postings))
    for entry in entries:
        if len(entry) > ENTRY_BYTES_MAX:
            raise EntryTooLarge(len(entry))
    hashes = map(leaf_hash, entries)
    for draft, body in zip(drafts, bodies, strict=True):
        draft.recorded.body = body
    return [
        event_row(
            draft.recorded.position,
            draft.event_id,
            draft.recorded.type.encode(),
            draft.tags,
            occurred_us=draft.occurred_us,
            recorded_us=draft.recorded_us,
            data=data,
            leaf_hash=leaf,
        )
        for draft, data, leaf in zip(drafts, entries, hashes, strict=True)
    ]


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
            body=answer.rendered,
        )
        for request, answer in answered
    ]


def _entry(draft: Draft, body: bytes, postings: tuple[Posting, ...]) -> bytes:
    event, stamp, recorded = draft.event, draft.stamp, draft.recorded
    request = stamp.request
    return canonical(
        Entry(
            msgspec.Raw(body),
            stamp.book,
            request.client,
            request.name,
            request.correlation_id,
            stamp.assets.currency,
            event.stated_date() or stamp.effective_on,
            ENVELOPE_VERSION,
            recorded.event_id,
            request.fingerprint.hex(),
            request.key.hex(),
            stamp.occurred_at,
            postings,
            request.principal,
            draft.recorded_at,
            draft.tags,
            recorded.type,
            stamp.policy_version,
            request.on_behalf_of,
        )
    )
