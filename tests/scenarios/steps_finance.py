"""Words of the finance department: payouts, refunds, adjustments, and the people who decide."""

import itertools
from typing import TYPE_CHECKING, Any

import msgspec

from tests.scenarios.steps import CREATOR, Sent

if TYPE_CHECKING:
    from tests.scenarios.stage import Expectation, Stage

_references = itertools.count(1)

FAY, BOB = ("finance", "fay"), ("approver", "bob")


def ready(creator: str = CREATOR, country: str = "US") -> Sent:
    """The creator's payout account is set up."""
    fields = {"creator": creator, "payouts_enabled": True, "country": country}
    return Sent("set-payout-account", fields, *FAY)


def payout(amount: int, creator: str = CREATOR, **more: Any) -> Sent:
    """Fay requests a payout."""
    return Sent("request-payout", {"creator": creator, "amount": amount, **more}, *FAY)


def paid_out(stage: "Stage") -> None:
    """Bob approves the payout requested last; the processor pays it."""
    number = latest(stage, "payout.requested.v1")["payout_id"]
    bank = {"processor": "bank", "processor_ref": f"transfer-{next(_references)}"}
    stage.given(
        Sent("approve-payout", {"payout": number}, *BOB),
        Sent("submit-payout", {"payout": number, **bank}, *FAY),
        Sent("confirm-payout", {"payout": number}, *FAY),
    )


def refunded(sale: str, cumulative: int, ref: str | None = None) -> Sent:
    """The processor reports that so much of a sale has been refunded by now."""
    reference = ref or f"refund-{next(_references)}"
    fields = {"sale": sale, "cumulative": cumulative, "processor": "stripe"}
    return Sent("record-refund", {**fields, "processor_ref": reference})


def adjustment(amount: int, **more: Any) -> Sent:
    """Fay proposes goodwill for the creator."""
    account = f"cr.{CREATOR}.available"
    legs = [["exp.goodwill", "USD", amount], [account, "USD", -amount]]
    return Sent("propose-adjustment", {"postings": legs, "reason_code": "GOODWILL", **more}, *FAY)


def approval(stage: "Stage", role: str, actor: str) -> Sent:
    """Somebody approves the adjustment proposed last."""
    number = latest(stage, "adjustment.proposed.v1")["adjustment_id"]
    return Sent("approve-adjustment", {"adjustment": number}, role, actor)


def latest(stage: "Stage", kind: str) -> dict[str, Any]:
    """The body of the last event of a type."""
    *_, entry = (entry for entry in stage.entries() if entry.type == kind)
    body: dict[str, Any] = msgspec.json.decode(entry.body)
    return body


def says(kind: str, **fields: Any) -> "Expectation":
    """What the last event of a type says."""

    def check(stage: "Stage") -> None:
        body = latest(stage, kind)
        assert {name: body.get(name) for name in fields} == fields

    return check
