"""The general journal: what was posted, event by event, in the order of the log or back.

What is effective on some days is what was recorded on them, and the few facts that came late or
early. An account's or a tag's events are found by an index. By anything else a page looks through a
bounded part of the log, so it may hold fewer items than were asked for while there are more.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple, TypeVar

import msgspec
from psycopg import sql

from domain.accounts import class_of
from domain.calendar import DateRange
from ledger.log import reading
from ledger.log.entry import Entry, actor_of, decode
from ledger.postgres.database import Connection
from projections.engine.checkpoints import checkpoint
from projections.engine.projection import bound
from projections.models.account_classes import AccountClasses
from projections.models.journal import Journal
from projections.models.late_entries import last_of_day

_TABLES = (*Journal.tables, *AccountClasses.tables)
_ORDERS = {
    newest_first: bound("general_journal", _TABLES, order=sql.SQL(order))
    for newest_first, order in ((False, "ASC"), (True, "DESC"))
}

#: Entries that one page looks through.
SCAN_MAX = 20_000
_CHUNK = 1_000

T = TypeVar("T")


class JournalFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events: that post to an account, or to one of a class; with a tag; of a type; by an
    actor; that move as much in one posting; with labels."""

    account: str | None = None
    asset: str | None = None
    tag: str | None = None
    type: str | None = None
    actor: str | None = None
    min_amount: int = 0
    labels: dict[str, str] = {}

    def chooses(self, entry: Entry) -> bool:
        """Whether the event is asked for."""
        return (
            self.type in {None, entry.type}
            and self.actor in {None, actor_of(entry)}
            and (self.tag is None or self.tag in entry.tags)
            and self.labels.items() <= (entry.labels or {}).items()
            and any(
                abs(amount) >= self.min_amount
                for name, asset, amount in entry.postings
                if self.asset in {None, asset} and names(self.account, name)
            )
        )


class Span(NamedTuple):
    """Where to look: days by effective date, and positions after one and up to another."""

    days: DateRange
    after: int
    until: int


def names(account: str | None, name: str) -> bool:
    """Whether `account`, which may be a class or none, names the account `name`."""
    return account is None or account in {name, class_of(name)}


def known(connection: Connection) -> int:
    """Up to where the journal and the classes are kept."""
    kept = (checkpoint(connection, each.name).position for each in (Journal, AccountClasses))
    return min(kept)


def general_journal(
    connection: Connection, wanted: JournalFilter, span: Span, *, newest_first: bool, limit: int
) -> tuple[list[dict[str, Any]], int | None]:
    """At most `limit` events with their postings, and after which position to go on; None: there
    are no more. `span.until` is not beyond what is `known`."""
    walked = (
        (position, _item(position, entry) if wanted.chooses(entry) else None)
        for position, entry in entries(connection, wanted, span, newest_first=newest_first)
    )
    return page_of(walked, limit)


def entries(
    connection: Connection, wanted: JournalFilter, span: Span, *, newest_first: bool = False
) -> Iterator[tuple[int, Entry]]:
    """Entries of the span, of the account or the tag in `wanted` at least. Lazy, a part at a
    time. Raises EntriesMissing."""
    query, values = _source(wanted, _ORDERS[newest_first])
    values |= _days(connection, span.days) | {"after": span.after, "until": span.until}
    while True:
        rows = connection.execute(query, values | {"limit": _CHUNK}).fetchall()
        told = reading.entries(connection, [position for (position,) in rows])
        for (position,) in rows:
            if position not in told:
                raise reading.EntriesMissing(position)
            entry = decode(told[position])
            if span.days.first <= entry.effective_on <= span.days.last:
                yield position, entry
        if len(rows) < _CHUNK:
            return
        last = rows[-1][0]
        values |= {"until": last - 1} if newest_first else {"after": last}


def page_of(walked: Iterator[tuple[int, T | None]], limit: int) -> tuple[list[T], int | None]:
    """At most `limit` of what a walk finds, and after which position to go on; None: at its end.

    `walked`: every position that is looked at, and what is found there.
    """
    found: list[T] = []
    taken = 0
    for looked, (position, item) in enumerate(walked, 1):
        if item is not None:
            if len(found) == limit:
                return found, taken
            found.append(item)
            taken = position
        if looked == SCAN_MAX:
            return found, position
    return found, None


def _source(wanted: JournalFilter, queries: dict[str, bytes]) -> tuple[bytes, dict[str, Any]]:
    if wanted.account is not None and "*" not in wanted.account:
        return queries["of_account"], {"account": wanted.account, "asset": wanted.asset}
    if wanted.tag is not None:
        return queries["of_tag"], {"tag": wanted.tag}
    return queries["everything"], {}


def _days(connection: Connection, days: DateRange) -> dict[str, Any]:
    """The days, and which positions were recorded on them: after `before`, up to `day_end`."""
    eve = None if days.first == date.min else days.first - timedelta(days=1)
    return {
        **days._asdict(),
        "eve": eve,
        "before": 0 if eve is None else last_of_day(connection, eve),
        "day_end": last_of_day(connection, days.last),
    }


def _item(position: int, entry: Entry) -> dict[str, Any]:
    return {
        "position": position,
        "event_id": entry.event_id,
        "type": entry.type,
        "effective_on": entry.effective_on,
        "recorded_at": entry.recorded_at,
        "actor": actor_of(entry),
        "postings": [
            {"account": account, "asset": asset, "amount": amount}
            for account, asset, amount in entry.postings
        ],
    }
