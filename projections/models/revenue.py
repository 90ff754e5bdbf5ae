"""Platform revenue: what each business day brought and cost, by product and by what brought it.

The money comes from the postings on the accounts of income and expense, so the sums are the income
statement's for every event there will ever be. What belongs to a sale, its refunds and disputes
included, stands under the sale's product and also under its source, campaign, connection, item and
labels; everything else stands under the kind of its event (`hold`, `payout`, `adjustment`), and
under its own labels. Refunds and disputes count on their own day.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from psycopg import Cursor

from domain.accounts import (
    BAD_DEBT_EXPENSE,
    BREAKAGE_REVENUE,
    COMMISSION_REVENUE,
    DISPUTE_EXPENSE,
    FEE_REVENUE,
    GOODWILL_EXPENSE,
    MARGIN_REVENUE,
    PROCESSOR_EXPENSE,
    PROMO_EXPENSE,
    SUBSCRIPTION_REVENUE,
    USAGE_REVENUE,
    Posting,
)
from domain.refunds.refund import RefundRecorded
from domain.reversals.clawback import Reversal
from domain.sales.sale import TOKEN, Sale, SaleRecord
from ledger.log import reading
from projections.engine.entries import PlacedEntry, decoded
from projections.engine.projection import Projection, Table, integers, texts
from projections.models.sale_lines import revenue_of

#: The figures of a row: the first four and the last two are of sales, the others are of accounts.
FIGURES = (
    "count", "gross", "tax", "creators", "commission", "margin", "usage", "fees", "breakage",
    "promotional", "subscriptions", "bad_debt", "goodwill", "processor_costs", "dispute_costs",
    "discount", "platform_discount",
)  # fmt: skip
#: The account behind a figure, and the sign of a debit in it.
ACCOUNTS = {
    "commission": (COMMISSION_REVENUE, -1),
    "margin": (MARGIN_REVENUE, -1),
    "usage": (USAGE_REVENUE, -1),
    "fees": (FEE_REVENUE, -1),
    "breakage": (BREAKAGE_REVENUE, -1),
    "promotional": (PROMO_EXPENSE, 1),
    "subscriptions": (SUBSCRIPTION_REVENUE, -1),
    "bad_debt": (BAD_DEBT_EXPENSE, 1),
    "goodwill": (GOODWILL_EXPENSE, 1),
    "processor_costs": (PROCESSOR_EXPENSE, 1),
    "dispute_costs": (DISPUTE_EXPENSE, 1),
}
_COLUMNS = {account: (FIGURES.index(name), sign) for name, (account, sign) in ACCOUNTS.items()}
_COUNT, _GROSS, _TAX, _CREATORS, _COMMISSION = range(5)
_SUBSCRIPTIONS, _DISCOUNT, _PLATFORM_DISCOUNT = map(
    FIGURES.index, ("subscriptions", "discount", "platform_discount")
)
#: What an attribution's fields are called in a question.
_ATTRIBUTION = {"source": "source", "campaign_id": "campaign", "connection_id": "connection"}
#: The key and value under which everything stands once.
_WHOLE = "", ""
_SALE = "sale:"
_EPOCH = date(2000, 1, 1).toordinal()


class Revenue(Projection):
    """Income, expense and sales by day and product, and by what brought them."""

    name = "revenue"
    version = 3
    tables = (Table("revenue", ("key", "day", "value", "product")),)

    def forget(self) -> None:
        """Drop the sums."""
        self._sums: dict[tuple[str, int, str, str], list[int]] = {}
        #: What undoes a sale, by the sale's tag and position: the day, and its figures.
        self._undone: dict[str, dict[int, tuple[int, list[int]]]] = {}
        self._end = 0

    def fold(self, page: Sequence[PlacedEntry]) -> None:
        """Sum up what the page adds to each day."""
        for entry in page:
            if not entry.postings:
                continue
            event = entry.event
            day = entry.effective_on.toordinal() - _EPOCH
            if isinstance(event, Sale):
                figures = _figures(entry.postings, creators=True, tax=True)
                figures[_COUNT] = 1
                figures[_GROSS] = event.gross - event.discount
                figures[_DISCOUNT] = event.discount
                figures[_PLATFORM_DISCOUNT] = event.platform_discount
                self._add(day, event.product, figures, _keys(event, entry.labels))
                continue
            assert event is not None
            sale = event.labelled_by() or ""
            of_sale = sale.startswith(_SALE)
            figures = _figures(
                entry.postings, creators=isinstance(event, Reversal) or of_sale, tax=of_sale
            )
            if of_sale and (any(figures) or isinstance(event, RefundRecorded)):
                self._undone.setdefault(sale, {})[entry.position] = day, figures
            elif any(figures):
                self._add(day, entry.type.partition(".")[0], figures, _label_keys(entry.labels))
        self._end = page[-1].position

    def write(self, cursor: Cursor[Any]) -> None:
        """Look up the sales that the page undid, then add the sums to the table."""
        self._undo(cursor)
        if self._sums:
            rows = sorted(self._sums)
            keys, days, values, products = zip(*rows, strict=True)
            columns = zip(*(self._sums[row] for row in rows), strict=True)
            names = texts(keys), integers(days), texts(values), texts(products)
            cursor.execute(self.sql["add"], (*names, *map(integers, columns)))
            self._sums = {}

    def folded(
        self, cursor: Cursor[Any], page: Sequence[PlacedEntry]
    ) -> dict[tuple[str, int, str, str], list[int]]:
        """What a page adds, by key, days since 2000-01-01, value and product; writes nothing."""
        self.fold(page)
        self._undo(cursor)
        sums, self._sums = self._sums, {}
        return sums

    def _add(
        self, day: int, product: str, figures: Sequence[int], keys: Iterable[tuple[str, str]]
    ) -> None:
        for key, value in (_WHOLE, *keys):
            row = key, day, value, product
            sums = self._sums.get(row)
            if sums is None:
                self._sums[row] = list(figures)
            else:
                for column, figure in enumerate(figures):
                    sums[column] += figure

    def _undo(self, cursor: Cursor[Any]) -> None:
        """Enter what undid a sale under the product and the keys of that sale."""
        if not self._undone:
            return
        tags = sorted(self._undone)
        rows = reading.histories(cursor.connection, tags, self._end)
        lives = decoded(((position, data) for _, position, data in rows), bodies=True)
        records = {tag: SaleRecord() for tag in tags}
        for (tag, position, _), entry in zip(rows, lives, strict=True):
            before = records[tag]
            assert entry.event is not None
            after = records[tag] = before.apply(tag, entry.event)
            if position in self._undone[tag]:
                assert before.sale is not None
                day, figures = self._undone[tag][position]
                if before.sale.funding == TOKEN:
                    figures[_GROSS] = revenue_of(after) - revenue_of(before)
                else:
                    figures[_GROSS] = (
                        figures[_TAX]
                        + figures[_CREATORS]
                        + figures[_COMMISSION]
                        + figures[_SUBSCRIPTIONS]
                    )
                self._add(day, before.sale.product, figures, _keys(before.sale, before.labels))
        self._undone = {}


def _figures(postings: Sequence[Posting], *, creators: bool, tax: bool) -> list[int]:
    """What an event posts to accounts of income and expense and, if asked for, to others."""
    figures = [0] * len(FIGURES)
    for account, _, amount in postings:
        known = _COLUMNS.get(account)
        if known is not None:
            column, sign = known
            figures[column] += sign * amount
        elif creators and account[:3] == "cr.":
            figures[_CREATORS] -= amount
        elif tax and account[:4] == "vat.":
            figures[_TAX] -= amount
    return figures


def _keys(sale: Sale, labels: dict[str, str] | None) -> list[tuple[str, str]]:
    """What brought a sale, besides its product."""
    keys = []
    for field, value in (sale.attribution or {}).items():
        if field in _ATTRIBUTION:
            keys.append((_ATTRIBUTION[field], value))
    if sale.item_id is not None:
        keys.append(("item", sale.item_id))
    if sale.offer_id is not None:
        keys.append(("offer", sale.offer_id))
    return keys + _label_keys(labels)


def _label_keys(labels: dict[str, str] | None) -> list[tuple[str, str]]:
    return [(f"label.{name}", value) for name, value in (labels or {}).items()]
