"""Messages that were put aside and may be tried again: one by one, in their order."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import msgspec

from consumers.kafka.inbound import Item, Reader
from consumers.kafka.partition_work import AWAITING, PartitionWork, Vetoed, goes, revise, veto
from consumers.kafka.replies import STALE, Replies
from consumers.kafka.sources import IntakeSource
from domain.rejections import INTERNAL
from ledger.postgres.database import Connection
from ledger.streams import consumed, parked
from ledger.streams.consumed import Fenced
from ledger.write.answer import Answer
from ledger.write.group import Group
from ledger.write.submission import Outcome
from ledger.write.unavailable import NotWritten
from ledger.write.writer import Writer

AT_ONCE = 200
ANSWER_WITHIN_S = 30.0


class Stored(msgspec.Struct, frozen=True):
    """A message as the table has it, in the shape of a record."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Desk(msgspec.Struct):
    """What an intake works with; `connection` is its own, the writer has others."""

    topic: str
    source: IntakeSource
    reader: Reader
    replies: Replies
    writer: Writer
    connection: Connection


class Released:
    """Tries what was released of a partition; nothing else of that partition flies meanwhile."""

    def __init__(self, desk: Desk) -> None:
        self._topic = desk.topic
        self._source = desk.source
        self._reader = desk.reader
        self._replies = desk.replies
        self._writer = desk.writer
        self._connection = desk.connection

    def due(self, part: PartitionWork) -> bool:
        """Whether anything of the partition is released."""
        return self._connection.execute(parked.SQL["any_due"], part.claim.values).fetchone() == (
            True,
        )

    def try_again(self, part: PartitionWork) -> None:
        """Try what is due, and learn which keys are held up after it."""
        values = part.claim.values | {"limit": AT_ONCE}
        rows = self._connection.execute(parked.SQL["due"], values).fetchall()
        failed: set[bytes] = set()
        for row in rows:
            key = row[1]
            if key not in failed and not self._applied(part, row) and key is not None:
                failed.add(key)
        part.hold(parked.held(self._connection, part.claim.values))

    def _applied(self, part: PartitionWork, row: Sequence[Any]) -> bool:
        """Whether it may leave the table, and does; False where later ones of its key must wait."""
        offset, key, headers, value, sent_at, tries, topic_id = row
        stored = Stored(
            part.claim.partition,
            offset,
            int(sent_at.timestamp() * 1_000),
            key,
            value,
            list(parked.read_headers(headers)),
        )
        item = self._reader.item(self._connection, self._topic, stored)
        item.tries = tries
        outcome = self._decided(part, item)
        if isinstance(outcome, Vetoed):
            code = outcome.found[0][1]
            early = code != INTERNAL.code
            self._put_back(part, item, AWAITING if early else code, code, awaiting=early)
            return early
        if isinstance(outcome, Exception):
            if not isinstance(outcome, Fenced):
                self._put_back(part, item, INTERNAL.code, repr(outcome)[:500], awaiting=False)
            return False
        self._tell(part, item, outcome)
        gone = part.claim.values | {"topic_id": topic_id, "offset": offset}
        self._connection.execute(parked.SQL["applied"], gone)
        return True

    def _decided(self, part: PartitionWork, item: Item) -> Answer | Exception | None:
        """The answer, None where nothing was to be decided, or why it cannot be applied."""
        if item.subject is not None and goes(item):
            known = parked.revisions(self._connection, self._source.name, [item.subject])
            if item.revision <= known.get(item.subject, -1):
                item.direct = 202, STALE
        if not goes(item) or item.request is None:
            return None

        def alongside(connection: Connection, answers: Sequence[Answer]) -> None:
            veto(answers, early=self._source.early)
            consumed.advance(connection, part.claim, first=0, until=0)
            revise(connection, part.claim, [item])

        landed: Future[Outcome] = Future()
        self._writer.submit(Group([item.request], alongside=alongside), landed.set_result)
        outcome = landed.result(ANSWER_WITHIN_S)
        if isinstance(outcome, list):
            return outcome[0]
        if isinstance(outcome, NotWritten):
            return outcome.error
        raise outcome

    def _tell(self, part: PartitionWork, item: Item, answer: Answer | None) -> None:
        """Answered before it leaves the table: whoever crashes in between answers it again."""
        if answer is not None:
            self._source.tell(self._replies, part.claim, item, answer)
        elif item.dead is not None:
            self._replies.bury(self._topic, part.claim.partition, item, *item.dead)
        elif item.direct is not None:
            self._replies.answer(item, *item.direct)
        self._replies.flush(ANSWER_WITHIN_S)

    def _put_back(
        self, part: PartitionWork, item: Item, reason: str, detail: str, *, awaiting: bool
    ) -> None:
        values = {"offset": item.offset, "key": item.key, "reason": reason, "detail": detail}
        self._connection.execute(
            parked.SQL["failed_again"], part.claim.values | values | {"awaiting": awaiting}
        )
