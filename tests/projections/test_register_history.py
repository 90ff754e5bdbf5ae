"""Registers against the plain words of a log in which everything happens."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from ledger.postgres.database import Connection
from projections import queries
from projections.models.authorizations import Authorizations
from projections.models.calls import Calls
from projections.models.holds import Holds
from projections.models.invoices import Invoices
from projections.models.reconciliation import Reconciliation
from projections.models.refunds import Refunds
from projections.models.sales import Sales
from projections.models.subscriptions import Subscriptions
from projections.queries import REGISTERS, Register, Wanted
from tests.projections import expected as sums

#: The field by which bodies of events name a thing of a register; payments have tags alone.
NAMED_BY = {
    "payouts": "payout_id", "disputes": "dispute_id", "sales": "sale_id",
    "purchases": "purchase_id", "payments": "", "holds": "hold_id",
    "authorizations": "payment_id", "calls": "call_id", "subscriptions": "subscription_id",
    "adjustments": "adjustment_id", "refunds": "refund_id", "settlements": "", "breaks": "",
}  # fmt: skip


Naming = Callable[[dict[str, Any]], str]
#: Those whose things have no tags of their own: by which events, and by what in their bodies.
TAGLESS: dict[str, tuple[set[str], Naming]] = {
    "invoices": (
        {"invoice.issued.v1", "credit_note.issued.v1", "debit_note.issued.v1"},
        lambda body: str(body["number"]),
    ),
    "freezes": (
        {"account.frozen.v1", "account.unfrozen.v1"},
        lambda body: f"{body['kind']}-{body['subject']}-{body['scope']}",
    ),
    "policies": (
        {"policy.proposed.v1", "policy.published.v1"}, lambda body: str(body["version"]),
    ),
    "periods": ({"period.closed.v1"}, lambda body: str(body["period"])),
}  # fmt: skip


SAID_OF_SALES = (
    "product", "funding", "gross", "discount", "tokens_paid", "tokens_promo", "released", "tax",
    "creator_share", "platform_share", "processor_ref", "country",
)  # fmt: skip


def registered(reader: Connection, register: type[Register]) -> dict[str, dict[str, Any]]:
    """Every row of a register by its id."""
    found, _ = queries.register_page(reader, register, Wanted(), "USD", limit=100_000)
    return {item["id"]: item for item in found}


#: What tags say of a payment by its reference: what it became, and what lines of files told.
OF_PAYMENT = re.compile(r"(?:payment:|line:|break:missing-|settled:[^:]+:PAYMENT:)(.+)")


def lives_of(rows: sums.Rows, register: type[Register]) -> dict[str, list[dict[str, Any]]]:
    """The events in the life of each thing that the register should have."""
    lives: dict[str, list[dict[str, Any]]] = {}
    if register is Reconciliation:
        for entry in sums.entries(rows):
            for name in {found[1] for tag in entry["tags"] if (found := OF_PAYMENT.match(tag))}:
                lives.setdefault(name, []).append(entry)
        return lives
    if register.name in TAGLESS:
        types, naming = TAGLESS[register.name]
        for entry in sums.entries(rows):
            if entry["type"] in types:
                lives.setdefault(naming(entry["body"]), []).append(entry)
        return lives
    kind, field = register.state.KIND, NAMED_BY[register.name]
    for entry in sums.entries(rows):
        for tag in entry["tags"]:
            if tag.startswith(f"{kind}:"):
                lives.setdefault(tag.removeprefix(f"{kind}:"), []).append(entry)
    if not field:
        return lives
    named = {entry["body"].get(field) for entry in sums.entries(rows)}
    return {name: life for name, life in lives.items() if name in named}


@pytest.mark.parametrize("register", REGISTERS, ids=lambda each: each.name)
def test_a_register_has_everything_of_its_kind(
    rows: sums.Rows, reader: Connection, register: type[Register]
) -> None:
    lives = lives_of(rows, register)
    found = registered(reader, register)
    assert found and set(found) == set(lives)
    for name, life in lives.items():
        row, first, last = found[name], life[0], life[-1]
        assert (row["first_position"], row["last_position"]) == (
            first["position"], last["position"],
        )  # fmt: skip
        times = [row[each].isoformat() for each in ("created_at", "updated_at")]
        told = [datetime.fromisoformat(each["recorded_at"]) for each in (first, last)]
        assert times == [at.isoformat() for at in told]
        assert row["labels"] == first.get("labels")
        assert row["status"] in register.statuses


def test_sales_are_what_their_events_say(rows: sums.Rows, reader: Connection) -> None:
    found = registered(reader, Sales)
    refunded: Counter[str] = Counter()
    for entry in sums.entries(rows):
        body, kind = entry["body"], entry["type"]
        if kind in {"refund.recorded.v1", "refund.reversed.v1"}:
            refunded[body["sale_id"]] = body["cumulative"]
        if "gross" not in body or "sale_id" not in body:
            continue
        row = found[body["sale_id"]]
        same = {"user": "buyer", "item": "item_id", "offer": "offer_id", "creator": "creator"}
        same |= {name: name for name in SAID_OF_SALES}
        for column, field in same.items():
            assert row[column] == body.get(field), (column, body)
    assert {name: row["refunded"] for name, row in found.items() if row["refunded"]} == {
        name: amount for name, amount in refunded.items() if amount
    }


def test_sums_of_registers_are_those_of_their_events(rows: sums.Rows, reader: Connection) -> None:
    expected: Counter[tuple[str, str]] = Counter()
    for entry in sums.entries(rows):
        body, kind = entry["body"], entry["type"]
        if kind == "call_block.charged.v1":
            tokens = body["tokens_paid"] + body["tokens_promo"]
            expected["tokens", body["call_id"]] += tokens
            expected["seconds", body["call_id"]] += body.get("seconds", 0)
        if kind == "call_block.written_off.v1":
            expected["written_off", body["call_id"]] += body["cost"]
        if kind == "hold.settled.v1":
            expected["used", body["hold_id"]] += body["tokens"]
            expected["released", body["hold_id"]] += body["released"]
        if kind == "payment.captured.v1":
            charged = body["gross"] - body["discount"] - body.get("platform_discount", 0)
            expected["captured", body["payment_id"]] += charged
        if kind == "subscription_period.charged.v1":
            expected["periods_paid", body["subscription_id"]] += 1
    figures = {
        Calls: ("tokens", "seconds", "written_off"),
        Holds: ("used", "released"),
        Authorizations: ("captured",),
        Subscriptions: ("periods_paid",),
    }
    found: Counter[tuple[str, str]] = Counter()
    for register, names in figures.items():
        for number, row in registered(reader, register).items():
            found |= Counter({(name, number): row[name] for name in names if row[name]})
    assert found == expected


def test_histories_are_whole(rows: sums.Rows, reader: Connection) -> None:
    for register in REGISTERS:
        for name, life in lives_of(rows, register).items():
            one = queries.register_item(reader, register, name, "USD")
            told = [each["position"] for each in one["history"]]
            assert told == [entry["position"] for entry in life], (register.name, name)
            assert one["history"][-1]["status"] == one["status"]


def test_parties_of_refunds_and_invoices_are_those_of_their_sales(
    rows: sums.Rows, reader: Connection
) -> None:
    parties = {}
    for entry in sums.entries(rows):
        body = entry["body"]
        if "gross" in body and "sale_id" in body:
            parties[body["sale_id"]] = body["buyer"], body.get("creator")
        if entry["type"] == "tokens.purchased.v1":
            parties[body["purchase_id"]] = body["user"], None
    for register in (Refunds, Invoices):
        found = registered(reader, register).values()
        for row in found:
            of = row["sale"] or row["purchase"]
            assert (row["user"], row["creator"]) == parties[of], row
        assert found


def test_invoices_add_up_to_what_is_owed(rows: sums.Rows, reader: Connection) -> None:
    signs = {"INVOICE": 1, "CREDIT_NOTE": -1, "DEBIT_NOTE": 1}
    vat: Counter[str] = Counter()
    for row in registered(reader, Invoices).values():
        vat[row["country"]] += signs[row["kind"]] * row["vat"]
    owed = sums.balances(rows)
    assert vat and all(-owed[f"vat.{country}", "USD"] == sum_ for country, sum_ in vat.items())
