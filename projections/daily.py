"""Daily analytics: what a platform sold on each of its business days, and to how many people.

A day is an entry's effective date, in the book's own time zone. What an event adds to its day is
found by the event's class, so whatever is derived from `Sale` is counted under its product.
"""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from psycopg import Cursor

from domain.promos import PromoTokensGranted
from domain.purchases import TokensPurchased
from domain.sale import Sale
from ledger.database import Connection
from projections.by_class import ByClass
from projections.projection import Projection, Table, integers, texts
from projections.record import Recorded

CACHED_PAYERS = 50_000

_EPOCH = date(2000, 1, 1).toordinal()
_NO_SALES = {
    "count": 0, "gross": 0, "tokens": 0, "tax": 0, "creator_share": 0, "platform_share": 0,
}  # fmt: skip


class Daily(Projection):
    """Figures by business day."""

    name = "daily"
    version = 1
    tables = (
        Table("days", ("day",)),
        Table("day_products", ("day", "product")),
        Table("day_payers", ("day", "user_id")),
    )

    def forget(self) -> None:
        """Drop the sums, and who was counted."""
        self._days: dict[int, list[int]] = {}
        self._products: dict[tuple[int, str], list[int]] = {}
        self._payers: set[tuple[int, str]] = set()
        self._counted: set[tuple[int, str]] = set()

    def fold(self, page: Sequence[Recorded]) -> None:
        """Sum up what the page adds to each day."""
        for recorded in page:
            event = recorded.event
            count = _counts[type(event)]  # type: ignore[index]
            count(self, event, recorded.effective_on.toordinal() - _EPOCH)

    def write(self, cursor: Cursor[Any]) -> None:
        """Enter the payers, then add the sums to the tables."""
        if self._payers:
            payers = sorted(self._payers)
            days = integers(day for day, _ in payers)
            cursor.execute(self.sql["add_payers"], (days, texts([user for _, user in payers])))
            for day, fresh in cursor:
                self.figures(day)[4] += fresh
            self._counted.update(self._payers)
            if len(self._counted) >= CACHED_PAYERS:
                self._counted = set()
            self._payers = set()
        if self._days:
            numbers = sorted(self._days)
            columns = zip(*(self._days[day] for day in numbers), strict=True)
            cursor.execute(self.sql["add_days"], (integers(numbers), *map(integers, columns)))
            self._days = {}
        if self._products:
            keys = sorted(self._products)
            columns = zip(*(self._products[key] for key in keys), strict=True)
            names = integers(day for day, _ in keys), texts([product for _, product in keys])
            cursor.execute(self.sql["add_products"], (*names, *map(integers, columns)))
            self._products = {}

    def figures(self, day: int) -> list[int]:
        """The sums of a day."""
        figures = self._days.get(day)
        if figures is None:
            figures = self._days[day] = [0] * 5
        return figures

    def product(self, day: int, product: str) -> list[int]:
        """The sums of a product on a day."""
        figures = self._products.get((day, product))
        if figures is None:
            figures = self._products[day, product] = [0] * 6
            self.figures(day)
        return figures

    def paid(self, day: int, user: str) -> None:
        """`user` is among the payers of a day."""
        payer = day, user
        if payer not in self._counted:
            self._payers.add(payer)


_counts: ByClass[Callable[[Daily, Any, int], None]] = ByClass(lambda _daily, _event, _day: None)
"""What an event adds to its day; most events are no business of a day's."""


@_counts.branch(Sale)
def _sold(daily: Daily, event: Sale, day: int) -> None:
    figures = daily.product(day, event.product)
    paid = event.gross - event.discount
    figures[0] += 1
    figures[1] += paid
    figures[2] += event.tokens_paid + event.tokens_promo
    figures[3] += event.tax
    figures[4] += event.creator_share
    figures[5] += event.platform_share
    if paid:
        daily.paid(day, event.buyer)


@_counts.branch(TokensPurchased)
def _purchased(daily: Daily, event: TokensPurchased, day: int) -> None:
    figures = daily.figures(day)
    figures[0] += 1
    figures[1] += event.tokens
    figures[2] += event.price
    figures[3] += event.bonus
    daily.paid(day, event.user)


@_counts.branch(PromoTokensGranted)
def _granted(daily: Daily, event: PromoTokensGranted, day: int) -> None:
    daily.figures(day)[3] += event.tokens


_sql = Daily().sql


def daily(connection: Connection, first: date, last: date) -> dict[str, Any]:
    """The days from `first` to `last`, both included; days without any figures are left out."""
    rows = connection.execute(_sql["daily"], (first, last)).fetchall()
    return {
        "days": [_day(*row[1:]) for row in rows if row[1] is not None],
        "as_of_position": rows[0][0] if rows else 0,
    }


def _day(day: date, *figures: Any) -> dict[str, Any]:
    sales, tokens, amount, granted, payers, products = figures
    products = products or {}
    tips = products.get("tip", _NO_SALES)
    return {
        "date": day,
        "token_sales": {"count": sales, "tokens": tokens, "amount": amount},
        "tokens_granted": granted,
        "sales_by_product": products,
        "payers": payers,
        "call_blocks": products.get("call", _NO_SALES)["count"],
        "tips": {"count": tips["count"], "amount": tips["gross"], "tokens": tips["tokens"]},
    }
