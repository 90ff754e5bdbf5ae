"""Offers: what each is, how often it was used, what it sold, and what it took off the prices.

Uses are counted as the domain counts them: sales, and authorisations that stand or were captured.
Revenue is net of what refunds and lost disputes take back, on the sale's offer; the discounts are
those of all sales, whatever became of them.
"""

from collections.abc import Callable, Sequence
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
    version = 1
    branches = branches
    tables = (
        Table("offers", ("offer",)),
        Table("offer_figures", ("offer",)),
        Table("offer_sales", ("sale",)),
    )

    def forget(self) -> None:
        """Drop what was folded."""
        self._published: dict[str, tuple[OfferPublished, int]] = {}
        self._withdrawn: dict[str, OfferWithdrawn] = {}
        self._figures: dict[str, list[int]] = {}
        self._sales: dict[str, tuple[str, int]] = {}
        self._reversed: dict[str, None] = {}
        self._end = 0

    def fold(self, page: Sequence[PlacedEntry]) -> None:
        """Sum up what the page adds to each offer."""
        for entry in page:
            event = entry.event
            branches[type(event)](self, event, entry.position)  # type: ignore[index]
        self._end = page[-1].position

    def publish(self, event: OfferPublished, position: int) -> None:
        """Keep an offer as it was published."""
        self._published[event.offer_id] = event, position

    def withdraw(self, event: OfferWithdrawn) -> None:
        """Note when an offer ended before its time."""
        self._withdrawn[event.offer_id] = event

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
        for name, (terms, position) in self._published.items():
            document = msgspec.json.encode(terms).decode()
            cursor.execute(self.sql["publish"], (name, document, position))
        for name, withdrawn in self._withdrawn.items():
            cursor.execute(self.sql["withdraw"], (name, withdrawn.at))
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
def _withdrawn(offers: Offers, event: OfferWithdrawn, _position: int) -> None:
    offers.withdraw(event)


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


SQL = Offers().sql


def offers(
    connection: Connection, currency: str, *, after: int | None, limit: int, descending: bool
) -> dict[str, Any]:
    """A page of offers in the order of their publication, or the other way round.

    `after` is the place in the log where the last one of the page before was published.
    """
    query = SQL["last" if descending else "first"]
    rows = connection.execute(query, (after, limit + 1)).fetchall()
    found = [row[1:] for row in rows if row[1] is not None]
    items = [_item(currency, *row) for row in found[:limit]]
    more = len(found) > limit
    return {
        "items": items,
        "next_cursor": str(items[-1]["first_position"]) if more else None,
        "has_more": more,
        "as_of_position": rows[0][0] if rows else 0,
    }


def offer(connection: Connection, currency: str, name: str) -> dict[str, Any]:
    """One offer; where there is none of that id, `id` is None and nothing else is there."""
    position, *row = connection.execute(SQL["one"], (name,)).fetchone() or (0, None)
    item = {"id": None} if row[0] is None else _item(currency, *row)
    return {**item, "as_of_position": position}


def _item(
    currency: str, name: str, document: str, position: int, withdrawn_at: Any, *sums: int
) -> dict[str, Any]:
    terms = _terms.decode(document)
    uses, revenue, discount, by_platform = sums
    status = OfferStatus.PUBLISHED if withdrawn_at is None else OfferStatus.WITHDRAWN
    return {
        "id": name,
        "status": status,
        "products": terms.products,
        "starts_at": terms.starts_at,
        "ends_at": terms.ends_at,
        "withdrawn_at": withdrawn_at,
        "terms": {
            "discount": terms.discount or None,
            "discount_bps": terms.discount_bps or None,
            "platform_discount": terms.platform_discount or None,
            "max_uses": terms.max_uses,
            "max_uses_per_user": terms.max_uses_per_user,
            "eligible": {"first_purchase": terms.first_purchase, "users": terms.users},
        },
        "uses": uses,
        "revenue": revenue,
        "discount": discount,
        "platform_discount": by_platform,
        "currency": currency,
        "first_position": position,
    }


_terms = msgspec.json.Decoder(OfferPublished)
