"""Who spends most and on whom sales are spent most: by day, week, month and of all time.

Spend is what a sale's price has left for its buyer, after all discounts and net of refunds and lost
disputes, which lower it on the day of the sale. What several creators share is divided as their
shares are. Equal ones stand in the order in which they got there, and then of their names.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from psycopg import Cursor

from domain.disputes.dispute import DisputeLost, DisputeWon
from domain.money import split_among
from domain.refunds.payment_failure import SalePaymentFailed
from domain.refunds.refund import RefundRecorded
from domain.refunds.refund_reversed import RefundReversed
from domain.reversals.clawback import Reversal
from domain.reversals.purchase_loss_events import PurchaseLossEvent
from domain.sales.sale import Sale, SaleRecord
from ledger.log import reading
from projections.engine.columns import TIME, array
from projections.engine.dispatch import ByClass
from projections.engine.entries import PlacedEntry, decoded
from projections.engine.projection import Projection, Table, integers, texts
from projections.models.sale_lines import spend_of, spent_on

CREATORS, FANS = "creators", "fans"
#: The first day of all time.
ALWAYS = date(2000, 1, 1)
_EPOCH = ALWAYS.toordinal()
_TAG = "sale:"


class Spend(NamedTuple):
    """What is added: an amount and so many sales, at which position, the last of them when."""

    amount: int
    sales: int
    reached: int
    last_at: datetime | None

    def plus(self, other: "Spend") -> "Spend":
        """Both together."""
        times = [at for at in (self.last_at, other.last_at) if at is not None]
        return Spend(
            self.amount + other.amount,
            self.sales + other.sales,
            max(self.reached, other.reached),
            max(times, default=None),
        )


#: (board, day as days since 2000-01-01, name), or (creator, fan).
BoardKey = tuple[str, int, str]
PairKey = tuple[str, str]
K = TypeVar("K")


def _nothing(_leaders: "Leaders", _event: Any, _entry: PlacedEntry) -> None:
    pass


#: What an event says of somebody's spend.
branches: ByClass[Callable[["Leaders", Any, PlacedEntry], None]] = ByClass(
    _nothing,
    decides_about=(Sale, Reversal),
    nothing="dispute.opened.v1",
)


class Leaders(Projection):
    """Spend by creator and fan, and by either in each day, week and month."""

    name = "leaders"
    version = 1
    weight = 4
    branches = branches
    tables = (
        Table("fan_creators", ("creator", "user_id")),
        Table("leaders", ("board", "unit", "first_day", "name")),
    )

    def forget(self) -> None:
        """Drop the sums."""
        self._pairs: dict[PairKey, Spend] = {}
        self._days: dict[BoardKey, Spend] = {}
        self._reversed: dict[str, int] = {}
        self._end = 0

    def fold(self, page: Sequence[PlacedEntry]) -> None:
        """Add up what was spent."""
        for entry in page:
            event = entry.event
            branches[type(event)](self, event, entry)  # type: ignore[index]
        self._end = page[-1].position

    def spent(self, sale: Sale, entry: PlacedEntry) -> None:
        """Add a sale that its buyer paid something for."""
        amount = spent_on(sale)
        if amount:
            last_at = min(entry.occurred_at, entry.recorded_at)
            spend = Spend(amount, 1, entry.position, last_at)
            self._enter(sale, entry.effective_on, spend, _parts(sale, amount))

    def reverse(self, sale_id: str, position: int) -> None:
        """Note that from `position` on a sale stands otherwise."""
        self._reversed.setdefault(sale_id, position)

    def _enter(self, sale: Sale, day: date, spend: Spend, parts: Sequence[int]) -> None:
        number = day.toordinal() - _EPOCH
        _add(self._days, (FANS, number, sale.buyer), spend)
        for payee, part in zip(sale.payees, parts, strict=True):
            of_payee = spend._replace(amount=part)
            _add(self._days, (CREATORS, number, payee.creator), of_payee)
            _add(self._pairs, (payee.creator, sale.buyer), of_payee)

    def write(self, cursor: Cursor[Any]) -> None:
        """Look at what was undone, then add the sums to the tables."""
        self._undo(cursor)
        if self._pairs:
            pairs = sorted(self._pairs)
            creators, users = zip(*pairs, strict=True)
            spends = [self._pairs[pair] for pair in pairs]
            cursor.execute(self.sql["add_pairs"], (texts(creators), texts(users), *_arrays(spends)))
            self._pairs = {}
        if self._days:
            rows = _by_unit(self._days)
            keys = sorted(rows)
            boards, units, days, names = zip(*keys, strict=True)
            named = texts(boards), texts(units), integers(days), texts(names)
            cursor.execute(self.sql["add"], (*named, *_arrays([rows[key] for key in keys])))
            self._days = {}

    def _undo(self, cursor: Cursor[Any]) -> None:
        """Enter what was undone on the days of the sales."""
        if not self._reversed:
            return
        tags = [f"{_TAG}{sale_id}" for sale_id in sorted(self._reversed)]
        rows = reading.histories(cursor.connection, tags, self._end)
        records = {tag: SaleRecord() for tag in tags}
        days: dict[str, date] = {}
        lives = decoded(((position, data) for _, position, data in rows), bodies=True)
        for (tag, position, _), entry in zip(rows, lives, strict=True):
            before = records[tag]
            assert entry.event is not None
            after = records[tag] = before.apply(tag, entry.event)
            if before.sale is None:
                days[tag] = entry.effective_on
            elif position >= self._reversed[tag.removeprefix(_TAG)]:
                was, left = spend_of(before), spend_of(after)
                if was != left:
                    parts = zip(_parts(before.sale, left), _parts(before.sale, was), strict=True)
                    spend = Spend(left - was, 0, position, None)
                    changes = [new - old for new, old in parts]
                    self._enter(before.sale, days[tag], spend, changes)
        self._reversed = {}


def _parts(sale: Sale, amount: int) -> tuple[int, ...]:
    """What of an amount is spent on each payee, by their shares."""
    if len(sale.payees) == 1:
        return (amount,)
    shares = [payee.share for payee in sale.payees]
    return split_among(amount, shares if any(shares) else [1] * len(shares))


def _add(sums: dict[K, Spend], key: K, spend: Spend) -> None:
    known = sums.get(key)
    sums[key] = spend if known is None else known.plus(spend)


def _by_unit(days: dict[BoardKey, Spend]) -> dict[tuple[str, str, int, str], Spend]:
    """The sums of days also by week, by month and of all time."""
    rows: dict[tuple[str, str, int, str], Spend] = {}
    for (board, number, name), spend in days.items():
        day = date.fromordinal(number + _EPOCH)
        firsts = {
            "day": day,
            "week": day - timedelta(days=day.weekday()),
            "month": day.replace(day=1),
            "all": ALWAYS,
        }
        for unit, first in firsts.items():
            _add(rows, (board, unit, first.toordinal() - _EPOCH, name), spend)
    return rows


def _arrays(spends: Sequence[Spend]) -> tuple[str, ...]:
    amounts, counts, reached, times = zip(*spends, strict=True)
    return integers(amounts), integers(counts), integers(reached), array(TIME, times)


@branches.branch(Sale)
def _sold(leaders: Leaders, event: Sale, entry: PlacedEntry) -> None:
    leaders.spent(event, entry)


@branches.branch(RefundRecorded, RefundReversed, SalePaymentFailed)
@branches.branch(DisputeLost, DisputeWon, PurchaseLossEvent)
def _reversed(leaders: Leaders, event: Reversal, entry: PlacedEntry) -> None:
    for tag in event.tags():
        if tag.startswith(_TAG):
            leaders.reverse(tag.removeprefix(_TAG), entry.position)
