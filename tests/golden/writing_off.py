"""What a buyer owes is written off, and whatever undoes the losses recovers it."""

from typing import Any

from tests.scenarios.steps import Sent, purchase
from tests.scenarios.steps_finance import approval, latest
from tests.scenarios.write_path import WritePath

FAY, BOB = ("finance", "fay"), ("approver", "bob")
BUYER = {"user": "debtor"}
REASON = {"reason_code": "REQUESTED"}


def writing_off(stage: WritePath) -> None:
    """Three purchases of which tokens are in a hold or used are lost in three ways."""
    owed = {}
    for ref in ("owed-1", "owed-2"):
        owed[ref] = bought(stage, ref)
    hold = held(stage, 2_190)
    owed["owed-3"] = bought(stage, "owed-3")
    used = held(stage, 400)
    lost: dict[str, Any] = {"payment_ref": "owed-1", "amount": 999, "fee": 0, "final": True}
    stage.given(
        Sent("open-dispute", {**lost, **told("d-1")}),
        Sent("record-refund", {"payment_ref": "owed-2", "amount": 477, **told("r-2")}),
        Sent("settle-batch", {**used, "batch_no": 1, "used": 300}),
        Sent("record-refund", {"payment_ref": "owed-3", "amount": 477, **told("r-3")}),
    )
    legs = [["exp.baddebt", "USD", 1_500], ["fan_debt.debtor", "USD", -1_500]]
    fields = {"postings": legs, "reason_code": "WRITE_OFF"}
    stage.given(Sent("propose-adjustment", fields, *FAY))
    stage.given(approval(stage, *BOB))
    stage.given(
        Sent("close-dispute", {"dispute": "d-1", "outcome": "WON", **told("d-1-won")}),
        Sent("open-dispute", {**lost, "amount": 500, **told("d-1-again")}),
        Sent("fail-refund", {"refund": "r-2", "reason_code": "CLOSED", **told("f-2")}),
        Sent("fail-payment", {"purchase": owed["owed-2"], **REASON, **told("b-2")}),
        Sent("refund-purchase", {"purchase": owed["owed-3"], **REASON}),
        Sent("release-hold", hold),
    )


def bought(stage: WritePath, ref: str) -> str:
    """The id of a purchase."""
    stage.given(purchase("small", price=999, ref=ref).but(**BUYER))
    purchase_id: str = latest(stage, "tokens.purchased.v1")["purchase_id"]
    return purchase_id


def held(stage: WritePath, tokens: int) -> dict[str, str]:
    """A hold of so many tokens."""
    stage.given(Sent("hold-credits", {**BUYER, "tokens": tokens}))
    return {"hold": latest(stage, "credits.held.v1")["hold_id"]}


def told(ref: str) -> dict[str, str]:
    """What a processor says of itself."""
    return {"processor": "stripe", "processor_ref": ref}
