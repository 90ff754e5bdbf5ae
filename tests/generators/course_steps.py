"""The steps that courses of events are made of."""

from itertools import count
from typing import Any

from tests.generators.spending import Later, Ref, Token

Step = tuple[str, dict[str, Any], str]

STRIPE = {"processor": "stripe", "processor_ref": "next"}
CARD = {"funding": "CARD", **STRIPE}
REASON = {"reason_code": "REVIEW"}
SMALL = ("record-purchase", {"user": "ann", "package": "small", "price": 999, **STRIPE}, "amy")
BENS = ("record-purchase", {"user": "ben", "package": "small", "price": 999, **STRIPE}, "amy")
CALL = {"call": "call-1"}
PAYOUT = {"payout": Ref("payout", 0)}
SUBSCRIPTION = {"subscription": "sub-1"}
MOVED = [["w.ben.free", Token("PAID"), 400], ["w.ann.free", Token("PAID"), -400]]
#: A part of what Ben owes is written off, and a part of that is paid after all.
WRITTEN_OFF = [["exp.baddebt", "USD", 200], ["bank", "USD", 30], ["fan_debt.ben", "USD", -230]]
REVIVED = [["fan_debt.ben", "USD", 50], ["exp.baddebt", "USD", -50]]
BETWEEN = {"user": "ben", "creator": "carl", "funding": "TOKEN"}
FROZEN = {"subject": "carl", "kind": "creator", "scope": "EARN", **REASON}


def adjusted(postings: list[list[Any]]) -> list[Step]:
    """Amy proposes an adjustment, Bob approves it."""
    return [
        ("propose-adjustment", {"postings": postings, **REASON}, "amy"),
        ("approve-adjustment", {"adjustment": Ref("adjustment", 0)}, "bob"),
    ]


def wait(seconds: int) -> Step:
    """Time passes."""
    return ("wait", {"seconds": seconds}, "")


def on_the_dot() -> Step:
    """It is the very moment at which the next thing ends or falls due."""
    return ("on the dot", {}, "")


def tip(user: str, amount: int, **more: Any) -> Step:
    """A tip to Carl, in tokens unless a card is named."""
    fields = {"user": user, "creator": "carl", "funding": "TOKEN", "amount": amount, **more}
    return ("send-tip", fields, "amy")


def period(start: str, end: str, **more: Any) -> Step:
    """A period of the subscription was charged."""
    times = {"period_start": f"{start}T00:00:00Z", "period_end": f"{end}T00:00:00Z"}
    return ("charge-period", {**SUBSCRIPTION, **times, "price": 999, **STRIPE, **more}, "amy")


def closed(outcome: str) -> Step:
    """The last dispute is over, for the time being."""
    return ("close-dispute", {"dispute": Ref("dispute", 0), "outcome": outcome, **STRIPE}, "amy")


def disputed(amount: int, **what: Any) -> Step:
    """A bank takes a payment back."""
    return ("open-dispute", {"amount": amount, "fee": 1_500, **what, **STRIPE}, "amy")


_lines = count(1)


def line(gross: int, about: Ref, *, kind: str = "PAYMENT", **more: Any) -> dict[str, Any]:
    """A line of a settlement file that no other file has."""
    name = f"course_{next(_lines)}"
    return {"line_ref": name, "kind": kind, "processor_ref": about, "gross": gross, **more}


def imported(*lines: dict[str, Any], **more: Any) -> Step:
    """A piece of a settlement file."""
    file = {"processor": "stripe", "file_sha256": "0f" * 32, "lines": list(lines), **more}
    return ("import-settlement", file, "amy")


def refunded(cumulative: int) -> Step:
    """The processor refunded the last payment."""
    fields = {"sale": Ref("payment", 0), "cumulative": cumulative, **STRIPE}
    return ("record-refund", fields, "amy")


def back(amount: int, **what: Any) -> Step:
    """The processor refunded so much, of the last payment if nothing else is named."""
    fields = {**(what or {"payment_ref": Ref("payment", 0)}), "amount": amount, **STRIPE}
    return ("record-refund", fields, "amy")


def not_refunded(nth: int = 0) -> Step:
    """The last refund that was reported has failed, or the nth before it."""
    return ("fail-refund", {"refund": Ref("report", nth), **REASON, **STRIPE}, "amy")


def bounced(**what: Any) -> Step:
    """The last payment failed after all."""
    fields = {**(what or {"payment_ref": Ref("payment", 0)}), **REASON, **STRIPE}
    return ("fail-payment", fields, "amy")


def offered(**terms: Any) -> Step:
    """An offer called `coupon` stands for an hour, for whatever a fan may buy."""
    products = ["unlock", "message", "ticket", "tip", "session", "subscription"]
    times = {"starts_at": Later(0), "ends_at": Later(3_600)}
    return ("publish-offer", {"offer": "coupon", "products": products, **times, **terms}, "amy")


def capture(amount: int, **more: Any) -> Step:
    """So much of the last authorisation is charged."""
    return ("capture", {"payment": Ref("authorization", 0), "amount": amount, **more}, "amy")


def released(resolution: str) -> Step:
    """Somebody decides about the last payment, if that is in suspense."""
    fields = {"payment_ref": Ref("payment", 0), "resolution": resolution}
    return ("release-payment", fields, "amy")


def refund(amount: int) -> Step:
    """Somebody asks for a refund of the last sale."""
    return ("refund", {"sale": Ref("sale", 0), "amount": amount, **REASON}, "amy")
