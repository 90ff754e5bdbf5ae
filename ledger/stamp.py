"""What all events of one command have in common, and the entries made with it."""

from datetime import date, datetime

import msgspec

from domain.accounts import Assets, balanced
from domain.event import Event
from ledger.entry import ENTRY_BYTES_MAX, ENVELOPE_VERSION, Entry, canonical
from ledger.request import Request


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

    def entry(
        self,
        event: Event,
        tags: tuple[str, ...],
        body: bytes,
        *,
        event_id: str,
        recorded_at: datetime,
    ) -> bytes:
        """The entry of one event, whose tags and encoded body are given.

        Raises Unbalanced if its postings do not add up, and EntryTooLarge.
        """
        request = self.request
        data = canonical(
            Entry(
                msgspec.Raw(body),
                self.book,
                request.client,
                request.name,
                request.correlation_id,
                self.assets.currency,
                event.stated_date() or self.effective_on,
                ENVELOPE_VERSION,
                event_id,
                request.fingerprint.hex(),
                request.key.hex(),
                self.occurred_at,
                balanced(event.postings(self.assets)),
                request.principal,
                recorded_at,
                tags,
                event.type,
                self.policy_version,
                request.on_behalf_of,
            )
        )
        if len(data) > ENTRY_BYTES_MAX:
            raise EntryTooLarge(len(data))
        return data
