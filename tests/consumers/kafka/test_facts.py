"""Facts become commands: early, late, twice, in the wrong order; people decide what is stuck."""

from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli import terminal
from api.cli.main import app
from consumers.kafka.topics import (
    ACCOUNT_STATUS,
    CALLS,
    DEAD_LETTERS,
    DELIVERY_REPORTS,
    PAYMENTS,
    RECEIPTS,
    Stream,
)
from tests.consumers.kafka.edge import Edge
from tests.scenarios.policies import LIVE_CALL, PREPAID_CREDITS
from tests.scenarios.steps import events, grant, wallet
from tests.scenarios.steps_products import hold, verified
from tests.support.waiting import until


def fact(name: str, identity: str, data: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": identity, "fact": name, "version": 1, "data": data, **more}


def tell(edge: Edge, stream: Stream, key: bytes, *told: dict[str, Any]) -> None:
    api_key = edge.key()
    edge.send(stream, [edge.signed(stream, api_key, key, each) for each in told])


def codes(edge: Edge, stream: Stream = RECEIPTS) -> list[str]:
    """What was answered other than that it is done, or why letters are dead."""
    if stream is DEAD_LETTERS:
        return sorted(m.headers["reason"].decode() for m in edge.messages(stream))
    return sorted(m.json["code"] for m in edge.messages(stream) if "code" in m.json)


def test_payments_come_in_any_order_and_more_than_once(edge: Edge) -> None:
    edge.make_topics()
    paid = {"user": "fan", "package": "small", "price": 999}
    charge = {"processor": "stripe", "processor_ref": "ch-1"}
    sale = {"user": "fan", "creator": "creator", "item": "photo", "price": 399}
    card = {"processor": "stripe", "processor_ref": "ch-2"}
    dispute = {"payment_ref": "ch-2", "amount": 399, "fee": 1500}
    told = [
        fact("dispute.opened", "3", dispute | {"processor": "stripe", "processor_ref": "dp-1"}),
        fact("purchase.paid", "1", paid | charge),
        fact("item.paid", "2", sale | card),
    ]
    tell(edge, PAYMENTS, b"fan", *told, *told)
    unreadable = [
        fact("purchase.paid", "9", {"user": "fan"}),
        fact("purchase.lost", "8", {}),
        fact("item.paid", "7", sale | card, version=2),
    ]
    tell(edge, PAYMENTS, b"fan", *unreadable)
    edge.process("consume", "payments").start()
    edge.await_consumed("payments", 9)
    edge.stage.then(
        wallet(1_100), events("tokens.purchased.v1", 1), events("content.unlocked.v1", 1),
        events("dispute.opened.v1", 1),
    )  # fmt: skip
    assert codes(edge, DEAD_LETTERS) == ["UNKNOWN_TYPE", "UNKNOWN_VERSION"]
    assert "INVALID_REQUEST" in codes(edge)


@pytest.mark.parametrize("document", [LIVE_CALL])
def test_a_call_that_ends_before_it_began_ends_when_it_has(edge: Edge) -> None:
    edge.stage.given(grant(1_000, user="ann"), verified())
    edge.make_topics()
    began = {"call": "c1", "user": "ann", "creator": "creator", "rate": 60}
    consumer = edge.process("consume", "calls").start()
    tell(edge, CALLS, b"c1", fact("call.ended", "2", {"call": "c1"}))
    edge.await_consumed("calls", 1)
    assert codes(edge) == []
    tell(edge, CALLS, b"c1", fact("call.started", "1", began), fact("call.started", "1", began))
    edge.await_consumed("calls", 3)
    until(lambda: len(edge.messages(RECEIPTS)) == 4 - 1, "the end of the call", timeout_s=20)
    consumer.stop()
    edge.stage.then(events("call.started.v1", 1), events("call.ended.v1", 1))
    assert codes(edge, DEAD_LETTERS) == []


def test_a_late_status_does_not_undo_a_later_one(edge: Edge) -> None:
    edge.make_topics()
    who = {"subject": "ann", "kind": "wallet", "scope": "SPEND"}
    suspended = who | {"reason_code": "FRAUD"}
    lifted = who | {"reason_code": "CLEARED"}
    tell(
        edge,
        ACCOUNT_STATUS,
        b"ann",
        fact("account.suspended", "1", suspended, revision=1),
        fact("account.reinstated", "3", lifted, revision=3),
        fact("account.suspended", "2", suspended, revision=2),
        fact("account.reinstated", "3", lifted, revision=3),
    )
    edge.process("consume", "account-status").start()
    edge.await_consumed("account-status", 4)
    edge.stage.then(events("account.frozen.v1", 1), events("account.unfrozen.v1", 1))
    assert codes(edge) == ["STALE_FACT", "STALE_FACT"]


@pytest.mark.parametrize("document", [PREPAID_CREDITS])
def test_delivery_reports_settle_a_hold_once_and_a_late_one_is_seen(edge: Edge) -> None:
    stage = edge.stage.given(grant(1_000, user="tenant"))
    stage.when(hold(500, user="tenant"))
    held = stage.outcomes[0].event["hold_id"]
    edge.make_topics()
    batch = {"hold": held, "batch_no": 1, "used": 300}
    tell(
        edge,
        DELIVERY_REPORTS,
        held.encode(),
        fact("batch.delivered", "1", batch),
        fact("batch.delivered", "1", batch),
        fact("campaign.completed", "2", {"hold": held}),
        fact("batch.delivered", "3", batch | {"batch_no": 2}),
    )
    edge.process("consume", "delivery-reports").start()
    edge.await_consumed("delivery-reports", 4)
    stage.then(events("hold.settled.v1", 1), wallet(700, user="tenant"))
    assert codes(edge, DEAD_LETTERS) == ["HOLD_NOT_OPEN"]


def test_people_see_retry_and_drop_what_is_parked(edge: Edge, monkeypatch: Any) -> None:
    edge.make_topics()
    early = [fact("call.ended", f"{n}", {"call": f"never-{n}"}) for n in range(2)]
    for n, each in enumerate(early):
        tell(edge, CALLS, b"never-%d" % n, each)
    consumer = edge.process("consume", "calls").start()
    edge.await_consumed("calls", 2)
    monkeypatch.setenv("TOKENLEDGER_DATABASE_URL", edge.fresh.service_url)
    monkeypatch.setattr(terminal.out, "_width", 200)
    run = CliRunner()
    book = ["--book", edge.fresh.book.name]
    with edge.fresh.connect() as connection:
        ids = [
            f"calls:{partition}:{offset}"
            for partition, offset in connection.execute(
                "SELECT partition, at_offset FROM parked_messages ORDER BY message_key"
            )
        ]
    shown = run.invoke(app, ["parked", "list", *book])
    assert all(each in shown.output for each in ids), shown.output
    assert "AWAITING_REFERENT" in shown.output
    assert '"call": "never-0"' in run.invoke(app, ["parked", "show", ids[0], *book]).output
    assert "1 to be tried again" in run.invoke(app, ["parked", "retry", ids[0], *book]).output
    assert f"dropped {ids[1]}" in run.invoke(app, ["parked", "drop", ids[1], *book]).output
    assert run.invoke(app, ["parked", "drop", ids[1], *book]).exit_code == 2
    with edge.fresh.connect(autocommit=True) as connection:
        until(
            lambda: (
                connection.execute(
                    "SELECT tries FROM parked_messages WHERE NOT dropped AND NOT released"
                ).fetchall()
                == [(1,)]
            ),
            "another try",
        )
    consumer.stop()
