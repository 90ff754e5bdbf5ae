"""Offers: what each is, how often it was used, what it sold, and what it took off the prices.

Uses are counted as the domain counts them: sales, and authorisations that stand or were captured.
Revenue is net of what refunds and lost disputes take back, on the sale's offer; the discounts are
those of all sales, whatever became of them.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from psycopg import Cursor

from domain.disputes.dispute import DisputeLost, DisputeWon
from domain.offers.offer import OfferEvent, OfferPublished, OfferStatus, OfferWithdrawn
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
from projections.engine.register import RegisterList, decoded_labels, encoded
from projections.models.sale_lines import revenue_of

_TAG = "sale:"
_USES, _REVENUE, _DISCOUNT, _BY_PLATFORM = range(4)


def _nothing(_offers: "Offers", _event: Any, _position: int) -> None:
    pass


#: What an event says of an offer, or of the sales that were made with one.
branches: ByClass[Callable[["Offers", Any, int], None]] = ByClass(
    _nothing,
    decides_about=(OfferEvent, Reversal),
    nothing="dispute.opened.v1",
)


class Offers(Projection):
    """Offers and their figures."""

    name = "offers"
    version = 2
    branches = branches
    tables = (
        Table("offers", ("offer",)),
        Table("offer_figures", ("offer",)),
        Table("offer_sales", ("sale",)),
    )

    def forget(self) -> None:
        """Drop what was folded."""
        self._published: dict[str, dict[str, Any]] = {}
        self._withdrawn: dict[str, dict[str, Any]] = {}
        self._recorded_at: datetime | None = None
        self._figures: dict[str, list[int]] = {}
        self._sales: dict[str, tuple[str, int]] = {}
        self._reversed: dict[str, None] = {}
        self._end = 0

    def fold(self, page: Sequence[PlacedEntry]) -> None:
        """Sum up what the page adds to each offer."""
        for entry in page:
            event, self._recorded_at = entry.event, entry.recorded_at
            branches[type(event)](self, event, entry.position)  # type: ignore[index]
        self._end = page[-1].position

    def publish(self, event: OfferPublished, position: int) -> None:
        """Keep an offer as it was published."""
        self._published[event.offer_id] = {
            "offer": event.offer_id,
            "terms": msgspec.json.encode(event).decode(),
            "labels": encoded(event.labels),
            "at": self._recorded_at,
            "position": position,
        }

    def withdraw(self, event: OfferWithdrawn, position: int) -> None:
        """Note when an offer ended before its time."""
        self._withdrawn[event.offer_id] = {
            "offer": event.offer_id,
            "withdrawn_at": event.at,
            "at": self._recorded_at,
            "position": position,
        }

    def figures(self, offer: str) -> list[int]:
        """What the page adds to an offer: uses, revenue, discount, what the platform paid."""
        return self._figures.setdefault(offer, [0] * 4)

    def sold(self, event: Sale, offer: str) -> None:
        """Add a sale that was made with an offer."""
        revenue = event.gross - event.discount
        figures = self.figures(offer)
        figures[_REVENUE] += revenue
        figures[_DISCOUNT] += event.discount
        figures[_BY_PLATFORM] += event.platform_discount
        self._sales[event.sale_id] = offer, revenue

    def reverse(self, sale_id: str) -> None:
        """Note that a sale stands otherwise after this page."""
        self._reversed[sale_id] = None

    def write(self, cursor: Cursor[Any]) -> None:
        """Enter offers and sales, then what has changed of sales, then the figures."""
        for published in self._published.values():
            cursor.execute(self.sql["publish"], published)
        for withdrawn in self._withdrawn.values():
            cursor.execute(self.sql["withdraw"], withdrawn)
        if self._sales:
            named, revenues = zip(*self._sales.values(), strict=True)
            sold = texts(list(self._sales)), texts(named), integers(revenues)
            cursor.execute(self.sql["add_sales"], sold)
        if self._reversed:
            self._restate(cursor)
        if self._figures:
            offers = sorted(self._figures)
            columns = zip(*(self._figures[offer] for offer in offers), strict=True)
            cursor.execute(self.sql["add_figures"], (texts(offers), *map(integers, columns)))
        self.forget()

    def _restate(self, cursor: Cursor[Any]) -> None:
        """Bring the revenue of sales with an offer to what it is after the page."""
        cursor.execute(self.sql["sales"], (texts(sorted(self._reversed)),))
        known = {sale: (offer, revenue) for sale, offer, revenue in cursor}
        if not known:
            return
        tags = [f"{_TAG}{sale}" for sale in sorted(known)]
        rows = reading.histories(cursor.connection, tags, self._end)
        records = {tag: SaleRecord() for tag in tags}
        lives = decoded(((position, data) for _, position, data in rows), bodies=True)
        for (tag, _, _), entry in zip(rows, lives, strict=True):
            assert entry.event is not None
            records[tag] = records[tag].apply(tag, entry.event)
        revenues = [revenue_of(records[tag]) for tag in tags]
        for sale, now in zip(sorted(known), revenues, strict=True):
            offer, before = known[sale]
            self.figures(offer)[_REVENUE] += now - before
        cursor.execute(self.sql["restate"], (texts(sorted(known)), integers(revenues)))


@branches.branch(OfferPublished)
def _published(offers: Offers, event: OfferPublished, position: int) -> None:
    offers.publish(event, position)


@branches.branch(OfferWithdrawn)
def _withdrawn(offers: Offers, event: OfferWithdrawn, position: int) -> None:
    offers.withdraw(event, position)


@branches.branch(OfferEvent)
def _used(offers: Offers, event: Any, _position: int) -> None:
    if event.offer_id is not None:
        offers.figures(event.offer_id)[_USES] += event.uses()


@branches.branch(Sale)
def _sold(offers: Offers, event: Sale, position: int) -> None:
    if event.offer_id is not None:
        _used(offers, event, position)
        offers.sold(event, event.offer_id)


@branches.branch(RefundRecorded, RefundReversed, SalePaymentFailed)
@branches.branch(DisputeLost, DisputeWon, PurchaseLossEvent)
def _reversed(offers: Offers, event: Reversal, _position: int) -> None:
    for tag in event.tags():
        if tag.startswith(_TAG):
            offers.reverse(tag.removeprefix(_TAG))


class OfferRow(msgspec.Struct, frozen=True):
    """An offer as it is read. Amounts in minor units."""

    offer: str
    terms: str
    labels: str | None
    withdrawn_at: datetime | None
    created_at: datetime
    updated_at: datetime
    first_position: int
    last_position: int
    uses: int
    revenue: int
    discount: int
    platform_discount: int


SQL = Offers().sql
STATUSES = tuple(OfferStatus)
_LIST = RegisterList("offers", "offer_list", OfferRow, "offer_figures")


class OfferFilter(msgspec.Struct, frozen=True):
    """Which offers: of these statuses, published on these days of a zone, and whatever else is
    given."""

    statuses: tuple[str, ...] = STATUSES
    product: str | None = None
    first_day: date = date.min
    last_day: date = date.max
    time_zone: str = "UTC"
    labels: dict[str, str] = {}


def offers(
    connection: Connection, wanted: OfferFilter, currency: str, **page: Any
) -> tuple[list[dict[str, Any]], int]:
    """Offers in the order of their publication, and the position they stand for; `page` as
    `RegisterList.rows` takes it."""
    rows, position = _LIST.rows(connection, wanted, **page)
    return [_item(row, currency) for row in rows], position


def offer(connection: Connection, currency: str, name: str) -> dict[str, Any]:
    """One offer; where there is none of that id, `id` is None and nothing else is there."""
    position, *values = connection.execute(SQL["one"], (name,)).fetchone() or (0, None)
    item = {"id": None} if values[0] is None else _item(OfferRow(*values), currency)
    return {**item, "as_of_position": position}


def _item(row: OfferRow, currency: str) -> dict[str, Any]:
    terms = _terms.decode(row.terms)
    return {
        "id": row.offer,
        "status": OfferStatus.PUBLISHED if row.withdrawn_at is None else OfferStatus.WITHDRAWN,
        "products": terms.products,
        "starts_at": terms.starts_at,
        "ends_at": terms.ends_at,
        "withdrawn_at": row.withdrawn_at,
        "terms": {
            "discount": terms.discount or None,
            "discount_bps": terms.discount_bps or None,
            "platform_discount": terms.platform_discount or None,
            "max_uses": terms.max_uses,
            "max_uses_per_user": terms.max_uses_per_user,
            "eligible": {
                "first_purchase": terms.first_purchase,
                "users": terms.users,
                "tiers": terms.tiers,
            },
        },
        "uses": row.uses,
        "revenue": row.revenue,
        "discount": row.discount,
        "platform_discount": row.platform_discount,
        "currency": currency,
        "labels": decoded_labels(row.labels),
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "first_position": row.first_position,
        "last_position": row.last_position,
    }


_terms = msgspec.json.Decoder(OfferPublished)
