"""Tiers: what each user has spent, the tier that is known of them, and how it changes next.

Spend is what a sale's price has left for its buyer: after discounts, net of refunds and lost
disputes, which lower it at the time of the sale. What counts is a rolling window before any moment,
so a tier falls as sales become too old. The next change is worked out whenever something happens to
a user, and stands in an index of what is due: the scheduler asks that, and nobody reads all users.
Each sale is kept with the sum of all before it, so a sum over any time is the difference of two.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from psycopg import Cursor

from domain.controls.erasure import SubjectErased
from domain.controls.policy_changes import PolicyEvent, PolicyPublished
from domain.disputes.dispute import DisputeLost, DisputeWon
from domain.fields import SubjectKind
from domain.policy import Policy
from domain.refunds.payment_failure import SalePaymentFailed
from domain.refunds.refund import RefundRecorded
from domain.refunds.refund_reversed import RefundReversed
from domain.reversals.clawback import Reversal
from domain.reversals.purchase_loss_events import PurchaseLossEvent
from domain.sales.sale import Sale, SaleRecord
from domain.tiers.tier import NEW, Ladder, TierChanged, ladder_of
from ledger.log import reading
from projections.engine.dispatch import ByClass
from projections.engine.entries import PlacedEntry, decoded
from projections.engine.projection import Projection, Table, integers, texts
from projections.models.sale_lines import spend_of, spent_on
from projections.models.tier_forecast import Change, Ladders, forecast

_TAG = "sale:"
_NEVER = datetime.min.replace(tzinfo=UTC)
#: Rows at a time when a policy with another ladder concerns everybody.
ROWS_AT_ONCE = 5_000


class TierRow(msgspec.Struct):
    """A row of the table, as it is written."""

    user: str
    tier: str
    changed_at: datetime | None
    spent: int
    sold_at: datetime | None
    as_of: datetime
    erased: bool
    changes_at: datetime | None
    changes_to: str | None
    changes_spend: int | None
    changes_window: int | None
    created_at: datetime
    updated_at: datetime
    first_position: int
    last_position: int

    def changes(self, change: Change | None) -> None:
        """Note how the tier changes next."""
        nothing = (None, None, None, None)
        self.changes_at, self.changes_to, self.changes_spend, self.changes_window = (
            nothing if change is None else msgspec.structs.astuple(change)
        )


class _Sold(msgspec.Struct, frozen=True, gc=False):
    """A sale at its own time."""

    user: str
    at: datetime
    position: int
    left: int


def _nothing(_tiers: "Tiers", _event: Any, _entry: PlacedEntry) -> None:
    pass


#: What an event says of somebody's spend or tier, or of all tiers.
branches: ByClass[Callable[["Tiers", Any, PlacedEntry], None]] = ByClass(
    _nothing,
    decides_about=(Sale, Reversal, TierChanged, PolicyEvent, SubjectErased),
    nothing="dispute.opened.v1 policy.proposed.v1",
)


class Tiers(Projection):
    """Spend and tiers by user."""

    name = "tiers"
    version = 1
    weight = 2
    branches = branches
    tables = (
        Table("tiers", ("user_id",)),
        Table("tier_sales", ("user_id", "at", "position")),
        Table("tier_ladders", ("version",)),
    )
    ordered = True

    def forget(self) -> None:
        """Drop what was folded, and the ladders."""
        self._sold: list[_Sold] = []
        self._reversed: dict[str, PlacedEntry] = {}
        self._changed: dict[str, TierChanged] = {}
        self._erased: set[str] = set()
        self._touched: dict[str, PlacedEntry] = {}
        self._first: dict[str, PlacedEntry] = {}
        self._as_of: dict[str, datetime] = {}
        self._published: list[PolicyPublished] = []
        self._ladders: Ladders | None = None
        self._end = 0

    def fold(self, page: Sequence[PlacedEntry]) -> None:
        """Keep what counts."""
        for entry in page:
            event = entry.event
            branches[type(event)](self, event, entry)  # type: ignore[index]
        self._end = page[-1].position

    def sold(self, event: Sale, entry: PlacedEntry) -> None:
        """Keep a sale that its buyer paid something for."""
        left = spent_on(event)
        if left:
            at = min(entry.occurred_at, entry.recorded_at)
            self._sold.append(_Sold(event.buyer, at, entry.position, left))
            self._touch(event.buyer, entry)

    def reverse(self, sale_id: str, entry: PlacedEntry) -> None:
        """Note that a sale stands otherwise since this entry."""
        self._reversed[sale_id] = entry

    def change(self, event: TierChanged, entry: PlacedEntry) -> None:
        """Keep the last tier."""
        self._changed[event.user] = event
        self._touch(event.user, entry, event.at)

    def publish(self, event: PolicyPublished) -> None:
        """Keep the ladder of a policy."""
        self._published.append(event)

    def erase(self, user: str, entry: PlacedEntry) -> None:
        """Whoever left changes no tier any more."""
        self._erased.add(user)
        self._touch(user, entry)

    def _touch(self, user: str, entry: PlacedEntry, at: datetime | None = None) -> None:
        """Something counts for `user` since the entry; a tier, since it holds."""
        since = entry.recorded_at if at is None else at
        self._as_of[user] = max(self._as_of.get(user, since), since)
        self._first.setdefault(user, entry)
        last = self._touched.get(user)
        if last is None or last.position < entry.position:
            self._touched[user] = entry

    def write(self, cursor: Cursor[Any]) -> None:
        """Enter sales and what became of them, then work out the next changes."""
        others = self._publish(cursor)
        restated = self._restated(cursor)
        if self._touched:
            rows = self._loaded(cursor)
            self._enter(cursor, rows, restated)
            self._foresee(cursor, list(rows.values()))
        if others:
            self._foresee_all(cursor)
        ladders = self._ladders
        self.forget()
        self._ladders = ladders

    def _publish(self, cursor: Cursor[Any]) -> bool:
        """Enter the ladders of a page; whether one is another than all before."""
        if self._ladders is None:
            self._ladders = ladders_of(cursor.execute(self.sql["ladders"]))
        before = bool(self._ladders.all)
        for event in self._published:
            ladder = ladder_of(Policy.model_validate(event.body))
            text = msgspec.json.encode(ladder).decode()
            cursor.execute(self.sql["add_ladder"], (event.version, event.effective_from, text))
            self._ladders = self._ladders.with_another(event.effective_from, ladder)
        return bool(self._published and before) and len(self._ladders.all) > 1

    def _restated(self, cursor: Cursor[Any]) -> list[_Sold]:
        """The sales that stand otherwise after the page, with what is left of each."""
        if not self._reversed:
            return []
        tags = [f"{_TAG}{sale}" for sale in sorted(self._reversed)]
        rows = reading.histories(cursor.connection, tags, self._end)
        records = {tag: SaleRecord() for tag in tags}
        sales: dict[str, tuple[datetime, int]] = {}
        lives = decoded(((position, data) for _, position, data in rows), bodies=True)
        for (tag, _, _), entry in zip(rows, lives, strict=True):
            assert entry.event is not None
            if isinstance(entry.event, Sale):
                sales[tag] = min(entry.occurred_at, entry.recorded_at), entry.position
            records[tag] = records[tag].apply(tag, entry.event)
        found = []
        for tag, (at, position) in sales.items():
            sale = records[tag].sale
            assert sale is not None
            if spent_on(sale):
                found.append(_Sold(sale.buyer, at, position, spend_of(records[tag])))
                self._touch(sale.buyer, self._reversed[tag.removeprefix(_TAG)])
        return found

    def _loaded(self, cursor: Cursor[Any]) -> dict[str, TierRow]:
        """The rows of whoever something happened to, new ones too."""
        users = sorted(self._touched)
        cursor.execute(self.sql["load"], (texts(users),))
        rows = {values[0]: TierRow(*values) for values in cursor}
        for user in users:
            last = self._touched[user]
            if user not in rows:
                first = self._first[user]
                rows[user] = TierRow(
                    user, NEW, None, 0, None, _NEVER, False, None, None, None, None,
                    first.recorded_at, last.recorded_at, first.position, last.position,
                )  # fmt: skip
            row = rows[user]
            row.updated_at, row.last_position = last.recorded_at, last.position
            row.as_of = max(row.as_of, self._as_of[user])
            row.erased = row.erased or user in self._erased
            if user in self._changed:
                row.tier, row.changed_at = self._changed[user].tier, self._changed[user].at
        return rows

    def _enter(self, cursor: Cursor[Any], rows: dict[str, TierRow], restated: list[_Sold]) -> None:
        """Enter sales and sum them up: at the end, or from where something changes on."""
        anew: dict[str, datetime] = {}
        before = []
        for sold in self._sold:
            row = rows[sold.user]
            before.append(row.spent)
            row.spent += sold.left
            if row.sold_at is not None and sold.at < row.sold_at:
                anew[sold.user] = min(anew.get(sold.user, sold.at), sold.at)
            else:
                row.sold_at = sold.at
        if self._sold:
            cursor.execute(self.sql["add_sales"], (*_columns(self._sold), integers(before)))
        if restated:
            cursor.execute(self.sql["restate"], _columns(restated))
            for sold in restated:
                anew[sold.user] = min(anew.get(sold.user, sold.at), sold.at)
        if anew:
            users = sorted(anew)
            cursor.execute(self.sql["sum_up"], (texts(users), [anew[user] for user in users]))
            for user, spent in cursor:
                rows[user].spent = spent

    def _foresee(self, cursor: Cursor[Any], rows: list[TierRow]) -> None:
        """Work out the next changes, and write the rows."""
        assert self._ladders is not None
        present = [row for row in rows if not row.erased]
        found = forecast(cursor, self.sql, self._ladders, present)
        for row in rows:
            row.changes(found.get(row.user))
        columns = zip(*(msgspec.structs.astuple(row) for row in rows), strict=True)
        cursor.execute(self.sql["put"], [list(column) for column in columns])

    def _foresee_all(self, cursor: Cursor[Any]) -> None:
        """The same for everybody: another ladder is published."""
        after = ""
        while True:
            cursor.execute(self.sql["load_after"], (after, ROWS_AT_ONCE))
            rows = [TierRow(*values) for values in cursor]
            if not rows:
                return
            self._foresee(cursor, rows)
            after = rows[-1].user


def _columns(sales: Iterable[_Sold]) -> tuple[Any, ...]:
    users, times, positions, left = zip(*map(msgspec.structs.astuple, sales), strict=True)
    return texts(users), list(times), integers(positions), integers(left)


@branches.branch(Sale)
def _sold(tiers: Tiers, event: Sale, entry: PlacedEntry) -> None:
    tiers.sold(event, entry)


@branches.branch(RefundRecorded, RefundReversed, SalePaymentFailed)
@branches.branch(DisputeLost, DisputeWon, PurchaseLossEvent)
def _reversed(tiers: Tiers, event: Reversal, entry: PlacedEntry) -> None:
    for tag in event.tags():
        if tag.startswith(_TAG):
            tiers.reverse(tag.removeprefix(_TAG), entry)


@branches.branch(TierChanged)
def _changed(tiers: Tiers, event: TierChanged, entry: PlacedEntry) -> None:
    tiers.change(event, entry)


@branches.branch(PolicyPublished)
def _published(tiers: Tiers, event: PolicyPublished, _entry: PlacedEntry) -> None:
    tiers.publish(event)


@branches.branch(SubjectErased)
def _erased(tiers: Tiers, event: SubjectErased, entry: PlacedEntry) -> None:
    if event.kind == SubjectKind.WALLET:
        tiers.erase(event.subject, entry)


_ladders = msgspec.json.Decoder(Ladder)


def ladders_of(rows: Iterable[tuple[datetime, str]]) -> Ladders:
    """The ladders that the rows of `tier_ladders` tell."""
    return Ladders((since, _ladders.decode(text)) for since, text in rows)
