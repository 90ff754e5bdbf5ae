"""Words of processors that take money back: of refunds, failures, and payments in suspense."""

import itertools
from typing import TYPE_CHECKING, Any

from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import FAN, Sent, accepted, card_unlock, credit, debit

if TYPE_CHECKING:
    from tests.scenarios.stage import Expectation, Stage

_references = itertools.count(1)
PAID = "paid"
POLICY: dict[str, Any] = {
    **MICRO_UNLOCK,
    "price_bounds": {},
    "vat": {"DE": 2_000},
    "vat_elsewhere": 0,
    "payout_minimum": 1,
    "products_enabled": ["unlock", "session"],
    "revenue_share": {"default": 8_000, "tiers": {"STANDARD": 7_000}},
}


def gave_back(amount: int, ref: str | None = None, **named: Any) -> Sent:
    """By this refund so much went back of a payment."""
    about = named or {"payment_ref": PAID}
    return _notice("record-refund", ref, {**about, "amount": amount})


def gave_back_by_now(cumulative: int, ref: str | None = None, **more: Any) -> Sent:
    """By now so much went back of a payment."""
    return _notice("record-refund", ref, {"payment_ref": PAID, "cumulative": cumulative, **more})


def refund_failed(refund: str, **more: Any) -> Sent:
    """A refund did not reach the buyer."""
    return _notice("fail-refund", None, {"refund": refund, "reason_code": "CLOSED", **more})


def payment_failed(**named: Any) -> Sent:
    """A payment failed, perhaps after it had succeeded."""
    return _notice(
        "fail-payment", None, {**(named or {"payment_ref": PAID}), "reason_code": "RETURNED"}
    )


def released(resolution: str, ref: str = PAID) -> Sent:
    """Fay decides about a payment in suspense."""
    fields = {"payment_ref": ref, "resolution": resolution}
    return Sent("release-payment", fields, "finance", "fay")


def sold(stage: "Stage", price: int, **more: Any) -> str:
    """A photo is unlocked by card."""
    sent = card_unlock(price, item="photo", processor_ref=PAID, **more)
    stage.when(sent).then(accepted())
    sale_id: str = stage.outcomes[0].json["events"][0]["body"]["sale_id"]
    return sale_id


def has_access(stage: "Stage") -> bool:
    """Whether the fan may look at the photo."""
    held = False
    for entry in stage.entries():
        event = entry.event()
        if f"entitlement:{FAN}:photo" in event.tags():
            held = entry.type not in {"refund.recorded.v1", "dispute.lost.v1"}
            held = held and entry.type != "sale_payment.failed.v1"
    return held


def stands_at(**accounts: int) -> "list[Expectation]":
    """Balances: of `psp` and expenses as debits, of what is owed and earned as credits."""
    names = {"psp": "psp.stripe", "creator": "cr.creator.available", "commission": "rev.commission"}
    debits = {"psp", "bad_debt", "disputes"}
    names |= {"bad_debt": "exp.baddebt", "disputes": "exp.dispute"}
    return [
        (debit if name in debits else credit)(names.get(name, name), amount)
        for name, amount in accounts.items()
    ]


def _notice(command: str, ref: str | None, fields: dict[str, Any]) -> Sent:
    reference = ref or f"back-{next(_references)}"
    return Sent(command, {**fields, "processor": "stripe", "processor_ref": reference})
