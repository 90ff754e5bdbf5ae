"""The inbox: notices that wait for their referent.

A refund may be reported before its payment. Such a notice is answered as parked and kept; the
event that it awaits lets it be decided again, in the same transaction. Its receipt stays the
first answer for ever.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from domain.catalogue import read_command
from domain.payments.payment import ReleasesNotice
from domain.payments.suspense import kept_fields
from domain.rejections import STALE_FIGURE
from ledger.log.entry import canonical
from ledger.write.answer import Answer, ReleasedNotice
from ledger.write.request import Request, first_needs


class NoticeStatus(StrEnum):
    """What became of a kept notice so far."""

    PARKED = "parked"
    SUSPENDED = "suspended"
    APPLIED = "applied"
    IGNORED = "ignored"


def status_of(code: str | None) -> NoticeStatus:
    """What became of a notice that was decided and does not wait, by its answer's code."""
    if code is None:
        return NoticeStatus.APPLIED
    return NoticeStatus.IGNORED if code == STALE_FIGURE else NoticeStatus.SUSPENDED


class Notice(msgspec.Struct, frozen=True):
    """A kept notice: a row of the inbox."""

    processor: str
    processor_ref: str
    request: Request
    status: NoticeStatus
    awaits: str | None
    received_at: datetime
    position: int | None = None


class DueNotice(msgspec.Struct, frozen=True):
    """A parked notice whose turn has come, and the answer to the command that released it."""

    notice: Notice
    cause: Answer


class NoticeOutcome(msgspec.Struct, frozen=True):
    """What a kept notice came to when it was decided again or released."""

    processor: str
    processor_ref: str
    command: str
    status: NoticeStatus
    awaits: str | None
    position: int


class Inbox:
    """The parked notices of a book by the tag they await, as one batch sees and changes them."""

    def __init__(self, parked: dict[str, tuple[Notice, ...]]) -> None:
        self.waiting = dict(parked)
        self.due: list[DueNotice] = []
        self.kept: list[Notice] = []
        self.outcomes: list[NoticeOutcome] = []

    def keep(
        self, request: Request, status: NoticeStatus, awaits: str | None, now: datetime
    ) -> None:
        """Keep a new notice, or change what a kept one waits for."""
        processor, processor_ref = request.command.notice_id() or ("", "")
        notice = Notice(processor, processor_ref, request, status, awaits, now)
        if awaits is not None:
            self.waiting[awaits] = (*self.waiting.get(awaits, ()), notice)
        self.kept.append(notice)

    def wake(self, tags: Iterable[str], cause: Answer) -> None:
        """An event with these tags was recorded: what awaited one of them is due."""
        for tag in tags:
            for notice in self.waiting.pop(tag, ()):
                self.due.append(DueNotice(notice, cause))
                if cause.released is None:
                    cause.released = []

    def conclude(
        self, due: DueNotice, status: NoticeStatus, awaits: str | None, position: int
    ) -> None:
        """Write down what became of a due notice that was decided again.

        The command that released it answers for it, unless it waits on.
        """
        self.due = [other for other in self.due if other is not due]
        notice, released = due.notice, due.cause.released
        processor, ref, command = notice.processor, notice.processor_ref, notice.request.name
        outcome = msgspec.structs.replace(notice, status=status, awaits=awaits, position=position)
        if awaits is not None:
            self.waiting[awaits] = (*self.waiting.get(awaits, ()), outcome)
        elif released is not None:
            released.append(ReleasedNotice(processor, command, ref, position))
        self.outcomes.append(NoticeOutcome(processor, ref, command, status, awaits, position))

    def release(self, event: ReleasesNotice, position: int) -> None:
        """Note that a person has dealt with a suspended notice."""
        self.outcomes.append(NoticeOutcome(*event.released(), NoticeStatus.APPLIED, None, position))

    def save(self) -> tuple[Any, ...]:
        """What `restore` needs to undo all that follows."""
        return dict(self.waiting), list(self.due), list(self.kept), list(self.outcomes)

    def restore(self, saved: tuple[Any, ...]) -> None:
        """Back to how it was at `save`."""
        self.waiting, self.due, self.kept, self.outcomes = saved


def kept_row(notice: Notice) -> tuple[Any, ...]:
    """The values of a new row."""
    request = notice.request
    return (
        notice.processor,
        notice.processor_ref,
        request.name,
        canonical(kept_fields(request.command)),
        request.principal,
        request.client,
        request.correlation_id,
        request.key,
        request.fingerprint,
        notice.status,
        notice.awaits,
        notice.received_at,
    )


def parked_notice(row: tuple[Any, ...]) -> Notice:
    """The parked notice of a row."""
    processor, ref, name, fields, principal, client, correlation_id, key, print_, *rest = row
    command = read_command(name, msgspec.json.decode(fields))
    beside = principal, client, correlation_id, key, print_, *first_needs(command)
    request = Request(command, name, command.on_behalf_of, *beside)
    awaits, received_at = rest
    return Notice(processor, ref, request, NoticeStatus.PARKED, awaits, received_at)
