"""Registers against the plain words of a log in which everything happens."""

from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from ledger.postgres.database import Connection
from projections import queries
from projections.models.authorizations import Authorizations
from projections.models.calls import Calls
from projections.models.holds import Holds
from projections.models.sales import Sales
from projections.models.subscriptions import Subscriptions
from projections.queries import REGISTERS, Register, Wanted
from tests.projections import expected as sums

#: The field by which bodies of events name a thing of a register; payments have tags alone.
NAMED_BY = {
    "payouts": "payout_id", "disputes": "dispute_id", "sales": "sale_id",
    "purchases": "purchase_id", "payments": "", "holds": "hold_id",
    "authorizations": "payment_id", "calls": "call_id", "subscriptions": "subscription_id",
    "adjustments": "adjustment_id",
}  # fmt: skip


SAID_OF_SALES = (
    "product", "funding", "gross", "discount", "tokens_paid", "tokens_promo", "released", "tax",
    "creator_share", "platform_share", "processor_ref", "country",
)  # fmt: skip


def registered(reader: Connection, register: type[Register]) -> dict[str, dict[str, Any]]:
    """Every row of a register by its id."""
    found, _ = queries.register_page(reader, register, Wanted(), "USD", limit=100_000)
    return {item["id"]: item for item in found}


@pytest.mark.parametrize("register", REGISTERS, ids=lambda each: each.name)
def test_a_register_has_everything_of_its_kind(
    rows: sums.Rows, reader: Connection, register: type[Register]
) -> None:
    kind, field = register.state.KIND, NAMED_BY[register.name]
    lives: dict[str, list[dict[str, Any]]] = {}
    for entry in sums.entries(rows):
        for tag in entry["tags"]:
            if tag.startswith(f"{kind}:"):
                lives.setdefault(tag.removeprefix(f"{kind}:"), []).append(entry)
    if field:
        named = {entry["body"].get(field) for entry in sums.entries(rows)}
        lives = {name: life for name, life in lives.items() if name in named}
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
