"""Creator earnings: what each creator is owed, by bucket, and what it was earned with.

Balances come from the postings on the accounts `cr.<creator>.<bucket>`, so they hold for every
event. The sources come from sales, net of what refunds and lost disputes take back. An adjustment
changes a balance and is earned with nothing, so it is in no source. Sales with labels are also
summed by each of their labels; what undoes a sale counts under the labels of that sale.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

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

_BUCKETS = {"pending": 0, "available": 1, "reserved": 2, "payout": 3}
_TAG = "sale:"


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
    version = 4
    weight = 2
    branches = branches
    tables = (
        Table("creators", ("creator",)),
        Table("creator_sources", ("creator", "source")),
        Table("creator_labels", ("creator", "key", "value", "source")),
    )

    def forget(self) -> None:
        """Drop the sums."""
        self._balances: dict[str, list[int]] = {}
        self._sources: dict[tuple[str, ...], list[int]] = {}
        self._labels: dict[tuple[str, ...], list[int]] = {}
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
                        balance = balances[creator] = [0, 0, 0, 0]
                    balance[_BUCKETS[bucket]] -= amount
            event = entry.event
            branches[type(event)](self, event, entry.position)  # type: ignore[index]
        self._end = page[-1].position

    def write(self, cursor: Cursor[Any]) -> None:
        """Look at what the page reversed, then add the sums to the tables."""
        self._reverse(cursor)
        if self._balances:
            creators = sorted(self._balances)
            buckets = zip(*(self._balances[creator] for creator in creators), strict=True)
            cursor.execute(self.sql["add_balances"], (texts(creators), *map(integers, buckets)))
            self._balances = {}
        self._sources = _added(cursor, self.sql["add_sources"], self._sources)
        self._labels = _added(cursor, self.sql["add_labels"], self._labels)

    def add(self, line: SaleLine, labels: Mapping[str, str] | None, sign: int = 1) -> None:
        """Add a creator's part of a sale to its source and labels, or with -1 take it out."""
        _, _, *figures = msgspec.structs.astuple(line)
        sums = [self.source(line.creator, line.source)]
        for label in (labels or {}).items():
            key = line.creator, *label, line.source
            sums.append(self._labels.setdefault(key, [0] * 6))
        for each in sums:
            for column, figure in enumerate(figures):
                each[column] += sign * figure

    def source(self, creator: str, name: str) -> list[int]:
        """What the page adds to a source: sales, amount paid, tax, commission, net, tokens."""
        key = creator, name
        source = self._sources.get(key)
        if source is None:
            source = self._sources[key] = [0] * 6
        return source

    def reverse(self, sale_id: str, position: int) -> None:
        """Note that from `position` on the sale stands otherwise than its source shows it."""
        self._reversed.setdefault(sale_id, position)

    def _reverse(self, cursor: Cursor[Any]) -> None:
        """Replace the lines of sales as they stood before the page by those after it."""
        if not self._reversed:
            return
        tags = [f"{_TAG}{sale_id}" for sale_id in sorted(self._reversed)]
        rows = reading.histories(cursor.connection, tags, self._end)
        records = {tag: SaleRecord() for tag in tags}
        lives = decoded(((position, data) for _, position, data in rows), bodies=True)
        unseen = set(tags)
        for (tag, position, _), entry in zip(rows, lives, strict=True):
            if tag in unseen and position >= self._reversed[tag.removeprefix(_TAG)]:
                unseen.remove(tag)
                for line in as_it_stands(records[tag]):
                    self.add(line, records[tag].labels, -1)
            assert entry.event is not None
            records[tag] = records[tag].apply(tag, entry.event)
        for tag in tags:
            for line in as_it_stands(records[tag]):
                self.add(line, records[tag].labels)
        self._reversed = {}


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
    if event.labels is not None or len(event.payees) != 1:
        for line in as_sold(event):
            earnings.add(line, event.labels)
        return
    paid, net = event.gross - event.discount, event.creator_share
    source = earnings.source(event.payees[0].creator, event.product)
    source[0] += 1
    source[1] += paid
    source[2] += event.tax
    source[3] += paid - event.tax - net
    source[4] += net
    source[5] += event.tokens_paid + event.tokens_promo


@branches.branch(RefundRecorded, RefundReversed, SalePaymentFailed)
@branches.branch(DisputeLost, DisputeWon, PurchaseLossEvent)
def _reversed(earnings: Earnings, event: Reversal, position: int) -> None:
    for tag in event.tags():
        if tag.startswith(_TAG):
            earnings.reverse(tag.removeprefix(_TAG), position)


SQL = Earnings().sql


_FIGURES = ("count", "gross", "tax", "commission", "net", "tokens")
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
        for each in _FIGURES
    }
    return [*found, {name: None, **rest}] if any(rest.values()) else found


def top_creators(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """The creators who have earned most."""
    rows = connection.execute(SQL["top"], (limit,))
    return [{"creator": name, "net": net, "count": count} for name, net, count in rows]
