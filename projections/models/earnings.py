"""Creator earnings: what each creator is owed, by bucket, and what it was earned with.

Balances come from the postings on the accounts `cr.<creator>.<bucket>`, so they hold for every
event. The sources come from sales, net of what refunds and lost disputes take back. An adjustment
changes a balance and is earned with nothing, so it is in no source. Sales with labels are also
summed by each of their labels; what undoes a sale counts under the labels of that sale.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import msgspec
from psycopg import Cursor

from domain.creators.creator import CreatorEvent
from domain.disputes.dispute import DisputeLost, DisputeWon
from domain.refunds.payment_failure import SalePaymentFailed
from domain.refunds.refund import RefundRecorded
from domain.refunds.refund_reversed import RefundReversed
from domain.reversals.clawback import Reversal
from domain.reversals.purchase_loss_events import PurchaseLossEvent
from domain.sales.sale import Sale, SaleRecord
from ledger.log import reading
from ledger.postgres.database import Connection
from projections.engine.dispatch import ByClass
from projections.engine.entries import PlacedEntry, decoded
from projections.engine.projection import Projection, Table, integers, texts
from projections.models.sale_lines import SaleLine, as_it_stands, as_sold

BUCKETS = ("pending", "available", "reserved", "in_payout")
_BUCKETS = {"pending": 0, "available": 1, "reserved": 2, "payout": 3}
#: The buckets, and what was earned with all sources.
_EARNED, _BALANCES, _NET = 4, 5, 4
_TAG = "sale:"
_EPOCH = date(2000, 1, 1).toordinal()
FIGURES = ("count", "gross", "tax", "commission", "net", "tokens", "refunds", "disputes")
_FIGURE_COUNT = len(FIGURES)
#: What took back of a sale as a refund does; other reversals are disputes.
_REFUNDS = (RefundRecorded, RefundReversed, SalePaymentFailed)


def _nothing(_earnings: "Earnings", _event: Any, _position: int) -> None:
    pass


#: What an event says of the sources of its creators' earnings.
branches: ByClass[Callable[["Earnings", Any, int], None]] = ByClass(
    _nothing,
    decides_about=(CreatorEvent,),
    postings="""
        adjustment.approved.v1 dispute.opened.v1 earnings.matured.v1 escrow.released.v1
        payout.requested.v1 payout.rejected.v1 payout.failed.v1 payout.paid.v1 payout.returned.v1
        """,
    nothing="""
        account.frozen.v1 account.unfrozen.v1 adjustment.proposed.v1 adjustment.rejected.v1
        call.started.v1 call.ended.v1 creator.verified.v1 payout.approved.v1 payout.submitted.v1
        payout_account.changed.v1 subject.erased.v1
        """,
)


class Earnings(Projection):
    """Money by creator."""

    name = "earnings"
    version = 6
    weight = 2
    branches = branches
    tables = (
        Table("creators", ("creator",)),
        Table("creator_sources", ("creator", "source")),
        Table("creator_labels", ("creator", "key", "value", "source")),
        Table("creator_days", ("creator", "key", "day", "value", "source")),
    )

    def forget(self) -> None:
        """Drop the sums."""
        self._balances: dict[str, list[int]] = {}
        self._sources: dict[tuple[str, ...], list[int]] = {}
        self._labels: dict[tuple[str, ...], list[int]] = {}
        self._days: dict[tuple[str, str, int, str, str], list[int]] = {}
        self.today = 0
        self._reversed: dict[str, int] = {}
        self._end = 0

    def fold(self, page: Sequence[PlacedEntry]) -> None:
        """Sum up what the page adds to each creator and source."""
        balances = self._balances
        for entry in page:
            for account, _, amount in entry.postings:
                if account[:3] == "cr.":
                    creator, _, bucket = account[3:].partition(".")
                    balance = balances.get(creator)
                    if balance is None:
                        balance = balances[creator] = [0] * _BALANCES
                    balance[_BUCKETS[bucket]] -= amount
            event = entry.event
            self.today = entry.effective_on.toordinal() - _EPOCH
            branches[type(event)](self, event, entry.position)  # type: ignore[index]
        self._end = page[-1].position

    def write(self, cursor: Cursor[Any]) -> None:
        """Look at what the page reversed, then add the sums to the tables."""
        self.look_back(cursor)
        for (creator, _), source in self._sources.items():
            self._balances.setdefault(creator, [0] * _BALANCES)[_EARNED] += source[_NET]
        if self._balances:
            creators = sorted(self._balances)
            buckets = zip(*(self._balances[creator] for creator in creators), strict=True)
            cursor.execute(self.sql["add_balances"], (texts(creators), *map(integers, buckets)))
            self._balances = {}
        self._sources = _added(cursor, self.sql["add_sources"], self._sources)
        self._labels = _added(cursor, self.sql["add_labels"], self._labels)
        if self._days:
            keys = sorted(self._days)
            owners, kinds, days, values, sources = zip(*keys, strict=True)
            names = texts(owners), texts(kinds), integers(days), texts(values), texts(sources)
            figures = zip(*(self._days[key] for key in keys), strict=True)
            cursor.execute(self.sql["add_days"], (*names, *map(integers, figures)))
            self._days = {}

    def add(self, sale: Sale, line: SaleLine, labels: Mapping[str, str] | None, day: int) -> None:
        """Add a creator's part of a sale, or the change of it, to its source, labels and day."""
        self.enter(sale, line.creator, labels, day, (*msgspec.structs.astuple(line)[2:], 0, 0))

    def enter(
        self,
        sale: Sale,
        creator: str,
        labels: Mapping[str, str] | None,
        day: int,
        figures: Sequence[int],
    ) -> None:
        """Add the figures of a row to whatever the sale counts under."""
        source = sale.product
        sums = [self.source(creator, source), self.day(creator, "", day, "", source)]
        for key, value in (labels or {}).items():
            sums.append(self._labels.setdefault((creator, key, value, source), [0] * _FIGURE_COUNT))
            sums.append(self.day(creator, f"label.{key}", day, value, source))
        for key, value in (sale.attribution or {}).items():
            sums.append(self.day(creator, key, day, value, source))
        for each in sums:
            for column, figure in enumerate(figures):
                each[column] += figure

    def day(self, creator: str, key: str, day: int, value: str, source: str) -> list[int]:
        """What the page adds to a creator's day."""
        row = creator, key, day, value, source
        sums = self._days.get(row)
        if sums is None:
            sums = self._days[row] = [0] * _FIGURE_COUNT
        return sums

    def source(self, creator: str, name: str) -> list[int]:
        """What the page adds to a source: sales, amount paid, tax, commission, net, tokens, and
        what refunds and disputes took back of the amount paid."""
        key = creator, name
        source = self._sources.get(key)
        if source is None:
            source = self._sources[key] = [0] * _FIGURE_COUNT
        return source

    def owed(self, creator: str) -> list[int]:
        """What the page adds to a creator's buckets: pending, available, reserved, in payout."""
        return self._balances.get(creator, [0] * len(BUCKETS))

    def net(self, creator: str) -> int:
        """What the page adds to all that a creator has earned."""
        net = FIGURES.index("net")
        return sum(sums[net] for (owner, _), sums in self._sources.items() if owner == creator)

    def reverse(self, sale_id: str, position: int) -> None:
        """Note that from `position` on the sale stands otherwise than its source shows it."""
        self._reversed.setdefault(sale_id, position)

    def look_back(self, cursor: Cursor[Any]) -> None:
        """Enter how each reversal of the page changed the lines of its sale, on its own day."""
        if not self._reversed:
            return
        tags = [f"{_TAG}{sale_id}" for sale_id in sorted(self._reversed)]
        rows = reading.histories(cursor.connection, tags, self._end)
        records = {tag: SaleRecord() for tag in tags}
        lives = decoded(((position, data) for _, position, data in rows), bodies=True)
        for (tag, position, _), entry in zip(rows, lives, strict=True):
            before = records[tag]
            assert entry.event is not None
            after = records[tag] = before.apply(tag, entry.event)
            if before.sale is not None and position >= self._reversed[tag.removeprefix(_TAG)]:
                day = entry.effective_on.toordinal() - _EPOCH
                refund = isinstance(entry.event, _REFUNDS)
                for old, new in zip(as_it_stands(before), as_it_stands(after), strict=True):
                    if old != new:
                        change = _change(old, new, refund=refund)
                        self.enter(before.sale, new.creator, before.labels, day, change)
        self._reversed = {}


def _change(old: SaleLine, new: SaleLine, *, refund: bool) -> tuple[int, ...]:
    """What a reversal adds to the figures of a line."""
    both = zip(msgspec.structs.astuple(old)[2:], msgspec.structs.astuple(new)[2:], strict=True)
    taken = old.paid - new.paid
    return (*(after - before for before, after in both), *((taken, 0) if refund else (0, taken)))


Sums = dict[tuple[str, ...], list[int]]


def _added(cursor: Cursor[Any], query: bytes, sums: Sums) -> Sums:
    """Add `sums` to their table; answers an empty dictionary for the next page."""
    if sums:
        keys = sorted(sums)
        names = [texts(column) for column in zip(*keys, strict=True)]
        figures = zip(*(sums[key] for key in keys), strict=True)
        cursor.execute(query, (*names, *map(integers, figures)))
    return {}


@branches.branch(Sale)
def _sold(earnings: Earnings, event: Sale, _position: int) -> None:
    day = earnings.today
    if event.labels is not None or event.attribution is not None or len(event.payees) != 1:
        for line in as_sold(event):
            earnings.add(event, line, event.labels, day)
        return
    creator, product = event.payees[0].creator, event.product
    paid, net = event.gross - event.discount, event.creator_share
    tokens = event.tokens_paid + event.tokens_promo
    for sums in (earnings.source(creator, product), earnings.day(creator, "", day, "", product)):
        sums[0] += 1
        sums[1] += paid
        sums[2] += event.tax
        sums[3] += paid - event.tax - net
        sums[4] += net
        sums[5] += tokens


@branches.branch(RefundRecorded, RefundReversed, SalePaymentFailed)
@branches.branch(DisputeLost, DisputeWon, PurchaseLossEvent)
def _reversed(earnings: Earnings, event: Reversal, position: int) -> None:
    for tag in event.tags():
        if tag.startswith(_TAG):
            earnings.reverse(tag.removeprefix(_TAG), position)


SQL = Earnings().sql


#: Values of a label that one answer tells apart.
GROUPS_MAX = 1_000


def earnings(
    connection: Connection,
    creator: str,
    currency: str,
    *,
    label: tuple[str, str] | None = None,
    group_by: str | None = None,
) -> dict[str, Any]:
    """What `creator` earned, in minor units of the book's `currency`; zeros if never seen.

    `label`, a key and a value, narrows `by_source` and `groups`, and not what is owed or was earned
    in all. `group_by`: source, or a label's key as `label.KEY`.
    """
    key, value = label or (None, None)
    group = (group_by or "").partition("label.")[2]
    named = {"creator": creator, "key": key, "value": value}
    limits = {"group": group, "groups": GROUPS_MAX}
    row = connection.execute(SQL["earnings"], named | limits).fetchone()
    position, pending, available, reserved, in_payout, *lists = row or (0, *[None] * 7)
    everything, labelled, groups = (found or [] for found in lists)
    shown = everything if label is None else labelled
    if group_by is None:
        groups = []
    elif not group:
        groups = shown
    else:
        groups = _adding_up(groups, f"label.{group}", everything)
    return {
        "creator": creator,
        "currency": currency,
        "pending": pending or 0,
        "available": available or 0,
        "reserved": reserved or 0,
        "in_payout": in_payout or 0,
        "lifetime_earned": sum(source["net"] for source in everything),
        "by_source": shown,
        "groups": groups,
        "as_of_position": position,
    }


def _adding_up(
    groups: list[dict[str, Any]], name: str, everything: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Groups by a label's values, and under None what they lack of everything."""
    found = [{name: group.pop("value"), **group} for group in groups]
    rest = {
        each: sum(source[each] for source in everything) - sum(group[each] for group in found)
        for each in FIGURES
    }
    return [*found, {name: None, **rest}] if any(rest.values()) else found


class EarningsByDay(NamedTuple):
    """The days from `first` to `last`; `by`: source, day, week, month, attribution or label.KEY."""

    first: date
    last: date
    by: str = "source"
    label: tuple[str, str] | None = None


def earnings_of_days(
    connection: Connection, creator: str, currency: str, asked: EarningsByDay
) -> dict[str, Any]:
    """What `earnings` answers, with `by_source` and `groups` of these days alone.

    Refunds and disputes count on their own day. Weeks and months have their first day for a name
    and hold only days of the range.
    """
    of_days = asked.by in ("day", "week", "month")
    key, value = "", None
    if asked.label is not None:
        key, value = f"label.{asked.label[0]}", asked.label[1]
    elif asked.by == "attribution":
        key = "source"
    elif asked.by.startswith("label."):
        key = asked.by
    named = {"creator": creator, "key": key, "value": value, "first": asked.first}
    by = asked.by if of_days or asked.by == "source" else "value"
    with connection.transaction():
        connection.execute(SQL["one_moment"])
        whole = earnings(connection, creator, currency)
        rows = connection.execute(SQL["grouped_days"], named | {"last": asked.last, "by": by})
    parts: dict[str, list[dict[str, Any]]] = {"all": [], "source": [], "group": []}
    for part, name, *figures in rows:
        title = {"all": "source", "source": "source"}.get(part, "value")
        parts[part].append({title: name, **dict(zip(FIGURES, figures, strict=True))})
    shown = parts["all"] if asked.label is None else parts["source"]
    if asked.by == "source":
        groups = shown
    elif of_days:
        groups = [{asked.by: group.pop("value"), **group} for group in parts["group"]]
    else:
        groups = _adding_up(parts["group"], asked.by, parts["all"])
    return {**whole, "by_source": shown, "groups": groups}


def top_creators(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """The creators who have earned most."""
    rows = connection.execute(SQL["top"], (limit,))
    return [{"creator": name, "net": net, "count": count} for name, net, count in rows]
