"""Invoices and credit notes: what documents VAT, numbered without gaps in each country.

A document is issued in the same command as the fact it documents, so numbers follow the log and
none is ever lost. Invoices and credit notes of a country share one series. A sale without tax
needs no invoice and costs nothing here.
"""

import msgspec

from domain.command import Given
from domain.entity import State, entity
from domain.event import Event, stored_as
from domain.sales.sale import Sale, SaleEvent, SaleRecord


@entity
class Series(State, frozen=True, kw_only=True):
    """The documents of one country: how many there are."""

    KIND = "invoices"

    last: int = 0

    def apply(self, key: str, event: Event) -> "Series":
        assert isinstance(event, VatDocument)
        return Series(last=event.ordinal)


def series_keys(country: str | None) -> tuple[str, ...]:
    """The key of a country's series; none where the country is not known yet."""
    return () if country is None else (f"invoices:{country}",)


class VatDocument(SaleEvent, frozen=True, kw_only=True):
    """What an invoice and a credit note say: `net` and `vat` in minor units, `rate` in bps.

    Either `sale_id` or `purchase_id` names what it documents.
    """

    number: str
    country: str
    net: int
    vat: int
    rate: int
    sale_id: str | None = None
    purchase_id: str | None = None

    def labelled_by(self) -> str:
        """What it documents."""
        return f"purchase:{self.purchase_id}" if self.sale_id is None else f"sale:{self.sale_id}"

    @property
    def ordinal(self) -> int:
        """Its place in the series of its country."""
        return int(self.number.partition("-")[2])

    def tags(self) -> tuple[str, ...]:
        """The country's series, and the sale."""
        series = f"invoices:{self.country}"
        return (series,) if self.sale_id is None else (series, f"sale:{self.sale_id}")

    def in_sale(self, record: SaleRecord) -> SaleRecord:
        """A document changes nothing about a sale."""
        return record


@stored_as("invoice.issued.v1")
class InvoiceIssued(VatDocument, frozen=True):
    """The VAT of a sale by card, or of a purchase of tokens."""


@stored_as("credit_note.issued.v1")
class CreditNoteIssued(VatDocument, frozen=True, kw_only=True):
    """The VAT that a refund or a lost dispute took back."""

    refund_id: str | None = None


@stored_as("debit_note.issued.v1")
class DebitNoteIssued(VatDocument, frozen=True, kw_only=True):
    """The VAT of a refund that was documented as taken back and has failed."""

    refund_id: str | None = None


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be documented."""

    country: str | None
    net: int
    vat: int
    rate: int
    sale_id: str | None = None
    purchase_id: str | None = None

    def numbered(self, given: Given, nth: int) -> dict[str, object]:
        """Its fields with the next number; `nth`: documents of this country before it in the
        same command.
        """
        country = self.country or ""
        last = given.state(Series, country).last
        fields = msgspec.structs.asdict(self)
        return {**fields, "country": country, "number": f"{country}-{last + nth + 1:06d}"}


def invoice(given: Given, document: Document, nth: int = 0) -> tuple[Event, ...]:
    """The invoice; none where there is no VAT."""
    if not document.vat:
        return ()
    return (InvoiceIssued(**document.numbered(given, nth)),)  # type: ignore[arg-type]


def credit_note(
    given: Given, document: Document, refund_id: str | None = None, nth: int = 0
) -> tuple[Event, ...]:
    """The credit note; none where no VAT is taken back."""
    if not document.vat:
        return ()
    fields = document.numbered(given, nth)
    return (CreditNoteIssued(**fields, refund_id=refund_id),)  # type: ignore[arg-type]


def debit_note(given: Given, document: Document) -> tuple[Event, ...]:
    """The debit note; none where no VAT was taken back."""
    if not document.vat:
        return ()
    return (DebitNoteIssued(**document.numbered(given, 0)),)  # type: ignore[arg-type]


def for_sale(given: Given, sale: Sale) -> tuple[Event, ...]:
    """The invoice of a sale by card; none where it bears no VAT."""
    if not sale.tax:
        return ()
    net = sale.gross - sale.discount - sale.tax
    document = Document(
        country=sale.country, net=net, vat=sale.tax, rate=sale.vat_bps, sale_id=sale.sale_id
    )
    return invoice(given, document)


def for_refund(
    given: Given, sale: Sale, *, amount: int, tax: int, refund_id: str | None, nth: int = 0
) -> tuple[Event, ...]:
    """The credit note of `amount` refunded on a sale, of which `tax` is VAT."""
    return credit_note(given, _part_of(sale, amount, tax), refund_id, nth)


def for_reversal(
    given: Given, sale: Sale, *, amount: int, tax: int, refund_id: str | None, nth: int = 0
) -> tuple[Event, ...]:
    """The debit note of `amount` whose refund has failed, of which `tax` is VAT."""
    if not tax:
        return ()
    fields = _part_of(sale, amount, tax).numbered(given, nth)
    return (DebitNoteIssued(**fields, refund_id=refund_id),)  # type: ignore[arg-type]


def _part_of(sale: Sale, amount: int, tax: int) -> Document:
    """`amount` of a sale, of which `tax` is VAT."""
    return Document(
        country=sale.country, net=amount - tax, vat=tax, rate=sale.vat_bps, sale_id=sale.sale_id
    )
