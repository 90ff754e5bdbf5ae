"""Invoices: with every fact that bears VAT, numbered without a gap in each country."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.command import Given, Suspended
from domain.sales.invoices import CreditNoteIssued, InvoiceIssued, for_refund, for_sale
from domain.sales.sale import Sale
from tests.domain.in_memory_book import ASSETS, InMemoryBook
from tests.scenarios.policies import MICRO_UNLOCK

RATES = {"DE": 1_900, "FR": 2_000, "US": 0}


def world(**policy: Any) -> InMemoryBook:
    return InMemoryBook({**MICRO_UNLOCK, "vat": RATES, **policy})


def unlock(place: InMemoryBook, country: str | None, price: int = 399, user: str = "ann") -> Any:
    number = len(place.history)
    return place.happens(
        "unlock",
        user=user,
        creator="carl",
        item=f"photo-{number}",
        price=price,
        funding="CARD",
        processor="stripe",
        processor_ref=f"r{number}",
        **({} if country is None else {"country": country}),
    )


def test_a_card_sale_with_vat_is_invoiced() -> None:
    sale, invoice = unlock(world(), "DE", 399)
    assert isinstance(invoice, InvoiceIssued)
    assert invoice.postings(ASSETS) == ()
    assert (invoice.number, invoice.sale_id) == ("DE-000001", sale.sale_id)
    assert (invoice.net, invoice.vat, invoice.rate) == (335, 64, 1_900)
    assert sale.tax == 64 and sale.vat_bps == 1_900


def test_without_vat_there_is_no_invoice() -> None:
    place = world(vat_elsewhere=0)
    assert len(unlock(place, "US")) == 1
    assert len(unlock(place, None)) == 1
    assert len(unlock(place, "IT")) == 1


def test_a_purchase_of_tokens_is_invoiced() -> None:
    place = world(packages={"small": {"tokens": 100, "price": 999}})
    fields: dict[str, Any] = {"user": "ann", "package": "small", "price": 999, "country": "FR"}
    bought, invoice = place.happens(
        "record-purchase", **fields, processor="stripe", processor_ref="p1"
    )
    assert isinstance(invoice, InvoiceIssued)
    assert invoice.purchase_id == bought.purchase_id  # type: ignore[attr-defined]
    assert (invoice.number, invoice.net, invoice.vat) == ("FR-000001", 832, 167)


@given(countries=st.lists(st.sampled_from(["DE", "FR", "US"]), max_size=12))
def test_numbers_of_each_country_have_no_gap(countries: list[str]) -> None:
    place = world()
    for country in countries:
        unlock(place, country)
    for country in ("DE", "FR"):
        numbers = [
            event.number
            for event in place.history
            if isinstance(event, InvoiceIssued) and event.country == country
        ]
        expected = [f"{country}-{n:06d}" for n in range(1, countries.count(country) + 1)]
        assert numbers == expected


def test_a_suspended_card_sale_takes_no_number() -> None:
    place = world()
    unlock(place, "DE")
    photo = {"user": "ann", "creator": "carl", "item": "x", "price": 10_000, "country": "DE"}
    paid = {"funding": "CARD", "processor": "stripe", "processor_ref": "r9"}
    decision = place.decide("unlock", **photo, **paid)
    assert isinstance(decision, Suspended)
    assert not any(isinstance(event, InvoiceIssued) for event in decision.events)
    assert unlock(place, "DE")[1].number == "DE-000002"


def test_credit_notes_continue_the_series_of_their_country() -> None:
    place = world()
    sale, _ = unlock(place, "DE", 399)
    assert isinstance(sale, Sale)
    given_now = Given(place.states, (), None, place.now, "id", "backend", ASSETS)
    first = for_refund(given_now, sale, amount=200, tax=32, refund_id="f1")
    second = for_refund(given_now, sale, amount=10, tax=2, refund_id="f2", nth=1)
    notes = [event for event in (*first, *second) if isinstance(event, CreditNoteIssued)]
    assert [(note.number, note.net, note.vat, note.refund_id) for note in notes] == [
        ("DE-000002", 168, 32, "f1"),
        ("DE-000003", 8, 2, "f2"),
    ]
    assert for_refund(given_now, sale, amount=1, tax=0, refund_id="f3") == ()
    place.record(*notes)
    assert [event.type for event in for_sale(given_now, sale)] == ["invoice.issued.v1"]
