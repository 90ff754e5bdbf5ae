"""Invoices, credit notes and debit notes: what documents VAT, and of which sale or purchase."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from domain.event import Event
from domain.sales.invoices import CreditNoteIssued, DebitNoteIssued, InvoiceIssued, VatDocument
from ledger.postgres.database import Connection
from projections.engine.columns import INTEGER, TEXT, kept, said
from projections.engine.register import Life, Register, RegisterRow, lives
from projections.models.parties import parties_of

ISSUED = "ISSUED"
_KINDS: dict[type[Event], str] = {
    InvoiceIssued: "INVOICE",
    CreditNoteIssued: "CREDIT_NOTE",
    DebitNoteIssued: "DEBIT_NOTE",
}


class IssuedDocument(Life, frozen=True, kw_only=True):
    """A document as it was issued: nothing changes it."""

    KIND: ClassVar[str] = "invoice"

    kind: str = ""
    country: str = ""
    net: int = 0
    vat: int = 0
    rate: int = 0
    sale: str | None = None
    purchase: str | None = None
    refund: str | None = None

    @property
    def documents(self) -> str:
        """The tag of what it documents."""
        return f"purchase:{self.purchase}" if self.sale is None else f"sale:{self.sale}"

    def apply(self, key: str, event: Event) -> "IssuedDocument":
        """The document that the event issues."""
        assert isinstance(event, VatDocument)
        return IssuedDocument(
            status=ISSUED,
            kind=_KINDS[type(event)],
            country=event.country,
            net=event.net,
            vat=event.vat,
            rate=event.rate,
            sale=event.sale_id,
            purchase=event.purchase_id,
            refund=getattr(event, "refund_id", None),
        )


class Invoices(Register):
    """Documents of VAT by their numbers, in minor units: `rate` is in hundredths of a percent.

    `kind` is INVOICE, CREDIT_NOTE or DEBIT_NOTE; all of a country share one series without gaps.
    """

    name, item = "invoices", "invoice"
    version = 1
    state = IssuedDocument
    statuses = (ISSUED,)
    branches = lives(VatDocument)
    amount = "net"
    columns = (
        said("user", TEXT, lambda _event: None, by="user"),
        said("creator", TEXT, lambda _event: None, by="creator"),
        kept("kind", TEXT, by="kind"),
        kept("country", TEXT, by="country"),
        kept("net", INTEGER),
        kept("vat", INTEGER),
        kept("rate", INTEGER),
        kept("sale", TEXT, nullable=True, by="sale"),
        kept("purchase", TEXT, nullable=True, by="purchase"),
        kept("refund", TEXT, nullable=True),
    )

    @classmethod
    def ids_of(cls, event: Event) -> Iterable[str]:
        """Its number."""
        assert isinstance(event, VatDocument)
        return (event.number,)

    def complete(self, connection: Connection, rows: Sequence[RegisterRow], until: int) -> None:
        """The parties of what is documented."""
        new: list[tuple[str, list[Any]]] = []
        for row in rows:
            assert isinstance(row.state, IssuedDocument)
            new.append((row.state.documents, row.values))
        parties = parties_of(connection, {tag for tag, _ in new}, until)
        for tag, values in new:
            values[:2] = parties[tag][:2]
