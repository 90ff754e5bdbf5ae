"""The inbox: notices that wait for their referent.

A refund may be reported before its payment. Such a notice is answered as parked and kept; the
event that it awaits lets it be decided again, in the same transaction. Its receipt stays the
first answer for ever.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec
import psycopg
from psycopg.rows import TupleRow

from domain.catalogue import InvalidRequest, read_command
from domain.command import AWAITED
from domain.payments.payment import ReleasesNotice
from domain.payments.suspense import kept_fields
from domain.rejections import STALE_FIGURE, UNAVAILABLE, reject
from ledger import logs
from ledger.log.entry import canonical
from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from ledger.write.answer import Answer, ReleasedNotice, refused
from ledger.write.request import Request, first_needs

#: Notices that may wait in a book, unless its settings say otherwise, and for one tag.
PARKED_MAX = 100_000
PARKED_OF_ONE_TAG_MAX = 1_000

TOO_MANY_PARKED = "too many notices are parked"

SQL = sql_files.load("sequencer")
log = logs.get_logger(__name__)


class NoRoomToPark(Exception):
    """A notice cannot be parked, and what its caller writes along must not be written either."""


class NoticeStatus(StrEnum):
    """What became of a kept notice so far."""

    PARKED = "parked"
    SUSPENDED = "suspended"
    APPLIED = "applied"
    IGNORED = "ignored"


def status_of(code: str | None) -> NoticeStatus:
    """What became of a parked notice that was decided again, by its answer's code."""
    return _STATUSES.get(code, NoticeStatus.SUSPENDED)


_STATUSES = {
    None: NoticeStatus.APPLIED,
    STALE_FIGURE: NoticeStatus.IGNORED,
    UNAVAILABLE.code: NoticeStatus.PARKED,
}


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
    """The notices of a book that wait, as far as a batch has to know and changes them.

    Of those that waited when the batch began, `parked` in number, it knows the ones whose tags were
    looked up. What was recorded under other tags is `unknown` until they are.
    """

    def __init__(self, parked: int = 0, limit: int = PARKED_MAX) -> None:
        self.parked = parked
        #: By the tag that they await.
        self.waiting: dict[str, tuple[Notice, ...]] = {}
        #: Tags that await being looked up, and the answers to the commands that recorded them.
        self.unknown: dict[str, Answer] = {}
        self.due: list[DueNotice] = []
        self.kept: list[Notice] = []
        self.outcomes: list[NoticeOutcome] = []
        self._limit = limit
        self._any_stored = parked > 0
        self._looked_up: set[str] = set()
        self._changed: dict[str, tuple[Notice, ...]] | None = None

    def has_room(self, awaits: str) -> bool:
        """Whether one more notice may wait for this tag."""
        return (
            self.parked < self._limit and len(self.waiting.get(awaits, ())) < PARKED_OF_ONE_TAG_MAX
        )

    def to_look_up(self, tags: Iterable[str]) -> list[str]:
        """Those of `tags` that stored notices may await and that were not looked up."""
        if not self._any_stored:
            return []
        known = self._looked_up
        return [tag for tag in set(tags) if tag.startswith(AWAITED) and tag not in known]

    def looked_up(self, tags: Iterable[str], notices: Iterable[Notice]) -> None:
        """Take in all stored `notices` that await one of `tags`; they waited before ours."""
        self._looked_up.update(tags)
        stored: dict[str, list[Notice]] = {}
        for notice in notices:
            stored.setdefault(notice.awaits or "", []).append(notice)
        for tag, found in stored.items():
            self.waiting[tag] = (*found, *self.waiting.get(tag, ()))
        for tag in [tag for tag in self.unknown if tag in self._looked_up]:
            self._wake(tag, self.unknown.pop(tag))

    def keep(
        self, request: Request, status: NoticeStatus, awaits: str | None, now: datetime
    ) -> None:
        """Keep a new notice."""
        processor, processor_ref = request.command.notice_id() or ("", "")
        notice = Notice(processor, processor_ref, request, status, awaits, now)
        if awaits is not None:
            self._wait(awaits, notice)
        self.kept.append(notice)

    def wake(self, tags: Iterable[str], cause: Answer, own_id: str) -> None:
        """An event with these tags was recorded: what awaited one of them is due.

        Nothing awaits what is named by `own_id`, the id of the event, which nobody knew before.
        """
        for tag in tags:
            if not tag.startswith(AWAITED):
                continue
            if tag in self.waiting or tag in self._looked_up or not self._any_stored:
                self._wake(tag, cause)
            elif own_id not in tag:
                self.unknown[tag] = cause
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
            self._wait(awaits, outcome)
        elif released is not None:
            released.append(ReleasedNotice(processor, command, ref, position))
        self.outcomes.append(NoticeOutcome(processor, ref, command, status, awaits, position))

    def release(self, event: ReleasesNotice, position: int) -> None:
        """Note that a person has dealt with a suspended notice."""
        self.outcomes.append(NoticeOutcome(*event.released(), NoticeStatus.APPLIED, None, position))

    def save(self) -> tuple[int, ...]:
        """What `restore` needs to undo all that follows. Nothing is due by then."""
        self._changed = {}
        return self.parked, len(self.kept), len(self.outcomes)

    def restore(self, saved: tuple[int, ...]) -> None:
        """Back to how it was at `save`."""
        self.parked, kept, outcomes = saved
        self.waiting.update(self._changed or {})
        self._changed = None
        self.due.clear()
        self.unknown.clear()
        del self.kept[kept:]
        del self.outcomes[outcomes:]

    def _wait(self, tag: str, notice: Notice) -> None:
        self._remember(tag)
        self.waiting[tag] = (*self.waiting.get(tag, ()), notice)
        self.parked += 1

    def _wake(self, tag: str, cause: Answer) -> None:
        found = self.waiting.get(tag)
        if found:
            self._remember(tag)
            self.waiting[tag] = ()
            self.parked -= len(found)
            self.due += [DueNotice(notice, cause) for notice in found]
            if cause.released is None:
                cause.released = []

    def _remember(self, tag: str) -> None:
        if self._changed is not None:
            self._changed.setdefault(tag, self.waiting.get(tag, ()))


def awaited(requests: Iterable[Request], states: Iterable[str]) -> Iterator[str]:
    """The tags that decisions on these states may record, as far as notices may await them."""
    yield from states
    for request in requests:
        notice = request.command.notice_id()
        if notice is not None:
            processor, ref = notice
            yield from (f"refund:{processor}:{ref}", f"dispute_notice:{processor}:{ref}")


class ParkedCount(NamedTuple):
    """How many notices of a book wait, and for how long the first of them has, in seconds."""

    notices: int
    oldest_s: float


def parked_count(connection: Connection) -> ParkedCount:
    """What waits in the connection's book; reads the head and one entry of an index."""
    row = connection.execute(SQL["parked_count"]).fetchone()
    assert row is not None
    return ParkedCount(row[0], max(0.0, float(row[1] or 0)))


def no_room(request: Request, what: str, position: int) -> Answer:
    """The answer to a notice that nothing can hold now: its processor keeps it and sends it again.

    It is not remembered, and somebody has to be told.
    """
    processor, ref = request.command.notice_id() or ("", "")
    log.critical(
        "a notice finds no room",
        command=request.name,
        processor=processor,
        processor_ref=ref,
        what=what,
        correlation_id=request.correlation_id,
    )
    return refused(request, reject(UNAVAILABLE, what=what), position)


class InboxTable:
    """The table of kept notices."""

    def __init__(self) -> None:
        self._unreadable: set[str] = set()

    def parked(self, cursor: psycopg.Cursor[TupleRow], tags: list[str]) -> list[Notice]:
        """The notices that await one of `tags`, the oldest first."""
        notices = []
        for row in cursor.execute(SQL["parked"], (tags,)):
            try:
                notices.append(parked_notice(row))
            except (InvalidRequest, msgspec.MsgspecError) as error:
                self._leave(row[1], error)
        return notices

    def write(self, cursor: psycopg.Cursor[TupleRow], inbox: Inbox, at: datetime) -> None:
        """Write what a batch kept and what became of kept notices."""
        if inbox.kept:
            with cursor.copy(SQL["keep_notices"]) as copy:
                copy.set_types(_COLUMN_TYPES)
                for notice in inbox.kept:
                    copy.write_row(kept_row(notice))
        if inbox.outcomes:
            concluded = [{**msgspec.structs.asdict(one), "at": at} for one in inbox.outcomes]
            cursor.executemany(SQL["conclude_notice"], concluded)

    def _leave(self, processor_ref: str, error: Exception) -> None:
        """A notice that this release does not read any more waits on; that must stop nobody."""
        if processor_ref not in self._unreadable:
            self._unreadable.add(processor_ref)
            log.error("a parked notice cannot be read", ref=processor_ref, error=str(error))


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
        notice.status.value,
        notice.awaits,
        notice.received_at,
    )


_COLUMN_TYPES = (
    *("text",) * 3,
    "bytea",
    *("text",) * 3,
    *("bytea",) * 2,
    *("text",) * 2,
    "timestamptz",
)


def parked_notice(row: tuple[Any, ...]) -> Notice:
    """The parked notice of a row."""
    processor, ref, name, fields, principal, client, correlation_id, key, print_, *rest = row
    command = read_command(name, msgspec.json.decode(fields))
    beside = principal, client, correlation_id, key, print_, *first_needs(command)
    request = Request(command, name, command.on_behalf_of, *beside)
    awaits, received_at = rest
    return Notice(processor, ref, request, NoticeStatus.PARKED, awaits, received_at)
