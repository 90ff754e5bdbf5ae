"""Words of processors that take money back: of refunds, failures, and payments in suspense."""

import itertools
from typing import TYPE_CHECKING, Any

from tests.scenarios.steps import Sent, credit, debit

if TYPE_CHECKING:
    from tests.scenarios.stage import Expectation

_references = itertools.count(1)
PAID = "paid"


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
