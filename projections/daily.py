"""Daily analytics: what a platform sold on each of its business days, and to how many people.

A day is an entry's effective date, in the book's own time zone. What an event adds to its day is
found by the event's class, so whatever is derived from `Sale` is counted under its product.
"""

from collections.abc import Sequence
from datetime import date
from functools import singledispatchmethod
from typing import Any

from psycopg import Cursor

from domain.event import Event
from domain.promos import PromoTokensGranted
from domain.purchases import TokensPurchased
from domain.sale import Sale
from ledger.database import Connection
from projections.projection import Projection, Table, integers
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
            assert recorded.event is not None
            self._count(recorded.event, recorded.effective_on.toordinal() - _EPOCH)

    @singledispatchmethod
    def _count(self, event: Event, day: int) -> None:
        """Most events are no business of a day's."""

    @_count.register
    def _sold(self, event: Sale, day: int) -> None:
        key = day, event.product
        figures = self._products.get(key)
        if figures is None:
            figures = self._products[key] = [0] * 6
            self._figures(day)
        paid = event.gross - event.discount
        figures[0] += 1
        figures[1] += paid
        figures[2] += event.tokens_paid + event.tokens_promo
        figures[3] += event.tax
        figures[4] += event.creator_share
        figures[5] += event.platform_share
        if paid:
            self._paid(day, event.buyer)

    @_count.register
    def _purchased(self, event: TokensPurchased, day: int) -> None:
        figures = self._figures(day)
        figures[0] += 1
        figures[1] += event.tokens
        figures[2] += event.price
        figures[3] += event.bonus
        self._paid(day, event.user)

    @_count.register
    def _granted(self, event: PromoTokensGranted, day: int) -> None:
        self._figures(day)[3] += event.tokens

    def write(self, cursor: Cursor[Any]) -> None:
        """Enter the payers, then add the sums to the tables."""
        if self._payers:
            payers = sorted(self._payers)
            days = integers(day for day, _ in payers)
            cursor.execute(self.sql["add_payers"], (days, [user for _, user in payers]))
            for day, fresh in cursor:
                self._figures(day)[4] += fresh
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
            names = integers(day for day, _ in keys), [product for _, product in keys]
            cursor.execute(self.sql["add_products"], (*names, *map(integers, columns)))
            self._products = {}

    def _figures(self, day: int) -> list[int]:
        figures = self._days.get(day)
        if figures is None:
            figures = self._days[day] = [0] * 5
        return figures

    def _paid(self, day: int, user: str) -> None:
        payer = day, user
        if payer not in self._counted:
            self._payers.add(payer)


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
