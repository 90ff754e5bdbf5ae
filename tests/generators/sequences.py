"""Courses of events as they usually run, of which random histories take some steps and skip others.

Left to chance alone, hardly a payout would ever be paid and come back. What happens in between,
and what is skipped, is random.
"""

from itertools import count
from typing import Any

from hypothesis import strategies as st

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
BETWEEN = {"user": "ben", "creator": "carl", "funding": "TOKEN"}
FROZEN = {"subject": "carl", "kind": "creator", "scope": "EARN", **REASON}


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


def period(start: str, end: str) -> Step:
    """A period of the subscription was charged."""
    times = {"period_start": f"{start}T00:00:00Z", "period_end": f"{end}T00:00:00Z"}
    return ("charge-period", {**SUBSCRIPTION, **times, "price": 999, **STRIPE}, "amy")


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


COURSES: dict[str, list[Step]] = {
    "payout": [
        ("set-payout-account", {"creator": "carl", "payouts_enabled": True}, "amy"),
        tip("ben", 9_999, **CARD),
        ("mature-earnings", {"creator": "carl"}, "amy"),
        ("request-payout", {"creator": "carl", "amount": 2_500}, "amy"),
        ("approve-payout", PAYOUT, "amy"),
        ("approve-payout", PAYOUT, "bob"),
        ("submit-payout", {**PAYOUT, **STRIPE}, "amy"),
        ("confirm-payout", PAYOUT, "amy"),
        refunded(9_000),
        ("return-payout", {**PAYOUT, **REASON}, "amy"),
    ],
    "scheduled payout": [
        tip("ben", 9_999, **CARD),
        wait(3 * 86_400),
        ("request-payout", {"creator": "carl", "scheduled": True}, "amy"),
        ("request-payout", {"creator": "carl", "scheduled": True}, "amy"),
        ("reject-payout", {**PAYOUT, **REASON}, "bob"),
        ("request-payout", {"creator": "carl", "amount": 133, "instant": True}, "amy"),
        ("approve-payout", PAYOUT, "bob"),
        ("submit-payout", {**PAYOUT, **STRIPE}, "amy"),
        ("fail-payout", {**PAYOUT, **REASON}, "amy"),
    ],
    "cancelled payout": [
        tip("cid", 2_500, **CARD),
        wait(8 * 86_400),
        ("request-payout", {"creator": "carl", "amount": 999}, "amy"),
        ("approve-payout", PAYOUT, "bob"),
        disputed(2_500, payment_ref=Ref("payment", 0)),
        closed("LOST"),
        closed("WON"),
    ],
    "call": [
        SMALL,
        ("verify-creator", {"creator": "carl", "verified": True}, "amy"),
        ("start-call", {**CALL, "user": "ann", "creator": "carl", "rate": 62}, "amy"),
        wait(91),
        ("meter-call", CALL, "amy"),
        ("pause-call", CALL, "amy"),
        wait(29),
        ("resume-call", CALL, "amy"),
        wait(31),
        ("meter-call", {**CALL, "as_of": Later(-1)}, "amy"),
        ("end-call", CALL, "amy"),
        ("meter-call", CALL, "amy"),
        wait(901),
        ("meter-call", CALL, "amy"),
    ],
    "dear call": [
        BENS,
        ("start-call", {"call": "call-2", "user": "ben", "creator": "carl", "rate": 900}, "amy"),
        wait(90),
        ("meter-call", {"call": "call-2"}, "amy"),
        refund(100),
        wait(14_400),
        ("meter-call", {"call": "call-2"}, "amy"),
    ],
    "hold": [
        SMALL,
        ("hold-credits", {"user": "ann", "tokens": 400}, "amy"),
        tip("ann", 133),
        ("settle-batch", {"hold": Ref("hold", 0), "batch_no": 1, "used": 120}, "amy"),
        ("settle-batch", {"hold": Ref("hold", 0), "batch_no": 2, "used": 7}, "amy"),
        wait(90_000),
        ("release-hold", {"hold": Ref("hold", 0)}, "amy"),
    ],
    "hold to its end": [
        SMALL,
        ("hold-credits", {"user": "ann", "tokens": 50, "expires_at": Later(60)}, "amy"),
        on_the_dot(),
        ("settle-batch", {"hold": Ref("hold", 0), "batch_no": 1, "used": 7}, "amy"),
        ("settle-batch", {"hold": Ref("hold", 0), "batch_no": 2, "used": 7}, "amy"),
    ],
    "mature": [
        ("set-payout-account", {"creator": "carl", "payouts_enabled": True}, "amy"),
        tip("ben", 9_999, **CARD),
        on_the_dot(),
        ("request-payout", {"creator": "carl", "amount": 2_500}, "amy"),
        ("mature-earnings", {"creator": "carl"}, "amy"),
    ],
    "moved tokens": [
        BENS,
        ("propose-adjustment", {"postings": MOVED, **REASON}, "amy"),
        ("approve-adjustment", {"adjustment": Ref("adjustment", 0)}, "bob"),
        tip("ann", 333),
    ],
    "session": [
        (
            "authorize",
            {
                "session": "session",
                "user": "ben",
                "payee": "carl",
                "tier": "STANDARD",
                "amount": 9_999,
                "payees": [{"creator": "cora", "weight": 2}, {"creator": "carl", "weight": 1}],
                **STRIPE,
            },
            "amy",
        ),
        ("capture", {"payment": Ref("authorization", 0), "amount": 10_000}, "amy"),
        ("capture", {"payment": Ref("authorization", 0), "amount": 3_333}, "amy"),
        refund(1_111),
        refunded(1_000),
        disputed(3_333, payment_ref=Ref("payment", 0)),
        refunded(2_000),
        closed("LOST"),
        refunded(3_333),
        closed("WON"),
    ],
    "captures": [
        (
            "authorize",
            {
                "session": "session",
                "user": "ben",
                "payee": "carl",
                "tier": "STANDARD",
                "amount": 9_999,
                **STRIPE,
            },
            "amy",
        ),
        capture(3_333, final=False),
        capture(2_500, final=False),
        refunded(3_000),
        disputed(2_000, payment_ref=Ref("payment", 0)),
        capture(4_167, final=False),
        back(701),
        capture(100),
        closed("LOST"),
        back(6_000),
        not_refunded(1),
        refunded(9_000),
        closed("WON"),
        bounced(payment=Ref("authorization", 0)),
        ("void", {"payment": Ref("authorization", 0), **REASON}, "amy"),
        bounced(),
    ],
    "subscription": [
        period("2026-11-01", "2026-12-01"),
        (
            "start-subscription",
            {**SUBSCRIPTION, "user": "ben", "creator": "carl", "price": 999},
            "amy",
        ),
        period("2026-10-01", "2026-11-01"),
        refunded(999),
        wait(86_400),
        ("lapse-subscription", SUBSCRIPTION, "amy"),
    ],
    "refund": [
        tip("ann", 399, **CARD),
        refund(200),
        refunded(100),
        disputed(399, sale=Ref("sale", 0)),
        closed("LOST"),
        refunded(399),
        closed("WON"),
        refunded(450),
        ("release-payment", {"payment_ref": Ref("payment", 0), "resolution": "RETURN"}, "amy"),
    ],
    "tokens back": [SMALL, tip("ann", 133), tip("ann", 701), refund(133), refund(99), refund(400)],
    "even split": [
        BENS,
        ("unlock-message", {**BETWEEN, "item": "letter", "price": 200}, "amy"),
        refund(1),
        refund(2),
        ("unlock-message", {**BETWEEN, **CARD, "item": "card", "price": 200}, "amy"),
        refunded(1),
        refunded(101),
    ],
    "purchase": [
        SMALL,
        tip("ann", 399),
        disputed(999, purchase=Ref("purchase", 0)),
        closed("LOST"),
        refund(7),
        closed("WON"),
        ("refund-purchase", {"purchase": Ref("purchase", 0), **REASON}, "amy"),
    ],
    "purchase in parts": [
        BENS,
        tip("ben", 333),
        disputed(333, purchase=Ref("purchase", 0)),
        tip("ben", 99),
        disputed(500, purchase=Ref("purchase", 0)),
        ("close-dispute", {"dispute": Ref("dispute", 1), "outcome": "LOST", **STRIPE}, "amy"),
        closed("LOST"),
        closed("WON"),
        ("unfreeze", {"subject": "ben", "kind": "wallet", "scope": "SPEND", **REASON}, "amy"),
    ],
    "used bonus": [
        SMALL,
        ("hold-credits", {"user": "ann", "tokens": 170, "expires_at": Later(40 * 86_400)}, "amy"),
        ("settle-batch", {"hold": Ref("hold", 0), "batch_no": 1, "used": 33}, "amy"),
        wait(35 * 86_400),
        ("settle-batch", {"hold": Ref("hold", 0), "batch_no": 2, "used": 21}, "amy"),
        ("release-hold", {"hold": Ref("hold", 0)}, "amy"),
        ("refund-purchase", {"purchase": Ref("purchase", 0), **REASON}, "amy"),
    ],
    "escrow": [
        ("freeze", FROZEN, "amy"),
        tip("ben", 701, **CARD),
        disputed(701, payment_ref=Ref("payment", 0)),
        ("unfreeze", FROZEN, "amy"),
        ("release-escrow", {"creator": "carl"}, "amy"),
        closed("WON"),
        ("release-escrow", {"creator": "carl"}, "amy"),
        refunded(333),
        refunded(701),
    ],
    "suspended": [
        ("record-purchase", {"user": "cid", "package": "small", "price": 998, **STRIPE}, "amy"),
        ("release-payment", {"payment_ref": Ref("payment", 0), "resolution": "RETURN"}, "amy"),
        refunded(100),
        disputed(999, purchase=Ref("purchase", -1)),
        ("record-purchase", {"user": "cid", "package": "small", "price": 999, **STRIPE}, "amy"),
    ],
    "refunds that fail": [
        tip("ben", 2_500, **CARD),
        refund(701),
        refund(300),
        back(800),
        not_refunded(),
        back(2_000),
        back(900),
        wait(8 * 86_400),
        ("mature-earnings", {"creator": "carl"}, "amy"),
        not_refunded(1),
        not_refunded(0),
        refunded(2_600),
        not_refunded(),
    ],
    "bounced": [
        tip("cid", 2_500, **CARD),
        refund(300),
        back(700),
        disputed(500, payment_ref=Ref("payment", 0)),
        bounced(),
        closed("LOST"),
        back(400),
        not_refunded(),
        closed("WON"),
        refunded(2_500),
    ],
    "suspended and disputed": [
        ("record-purchase", {"user": "cid", "package": "small", "price": 998, **STRIPE}, "amy"),
        back(300),
        disputed(500, payment_ref=Ref("payment", 0)),
        back(300),
        not_refunded(1),
        closed("WON"),
        bounced(),
        released("RETURN"),
        back(200),
    ],
    "suspended and returned": [
        ("record-purchase", {"user": "cid", "package": "small", "price": 998, **STRIPE}, "amy"),
        back(100),
        released("RETURN"),
        back(800),
        disputed(400, payment_ref=Ref("payment", 0)),
        not_refunded(),
        back(300),
        released("RETURN"),
    ],
    "suspended and applied": [
        ("freeze", {"subject": "cid", "kind": "wallet", "scope": "SPEND", **REASON}, "amy"),
        tip("cid", 999, **CARD),
        back(300),
        disputed(500, payment_ref=Ref("payment", 0), final=True),
        back(400),
        not_refunded(1),
        closed("WON"),
        bounced(),
        ("unfreeze", {"subject": "cid", "kind": "wallet", "scope": "SPEND", **REASON}, "amy"),
        released("APPLY"),
        back(400),
    ],
    "thawed": [
        ("unfreeze", {"subject": "ann", "kind": "wallet", "scope": "SPEND", **REASON}, "amy"),
        ("unfreeze", {"subject": "ben", "kind": "wallet", "scope": "SPEND", **REASON}, "amy"),
        ("unfreeze", FROZEN, "amy"),
    ],
    "settled": [
        tip("cid", 701, **CARD),
        imported(line(701, Ref("payment", 0)), fee=15),
        imported(line(100, Ref("payment", -1)), line(200, Ref("payment", -1))),
        tip("cid", 300, **CARD),
        ("resolve-break", {"break": Ref("break", 0), "resolution": "MATCH", **REASON}, "amy"),
        tip("cid", 500, **CARD),
        imported(line(450, Ref("payment", 0), fee=3)),
        ("assign-break", {"break": Ref("break", 0), "owner": "bob"}, "amy"),
        imported(line(50, Ref("payment", 0)), payout=1_533),
        ("resolve-break", {"break": Ref("break", 0), "resolution": "WRITE_OFF", **REASON}, "amy"),
    ],
    "charged back": [
        tip("cid", 2_000, **CARD),
        imported(line(2_000, Ref("payment", 0))),
        disputed(2_000, payment_ref=Ref("payment", 0)),
        imported(line(-2_000, Ref("payment", 0), kind="CHARGEBACK", fee=1_000)),
        imported(line(-700, Ref("dispute", 0), kind="FEE")),
        closed("WON"),
        imported(line(2_000, Ref("dispute", 0), kind="CHARGEBACK_REVERSAL", fee=-1_500)),
        refunded(300),
        imported(line(-300, Ref("payment", 0), kind="REFUND")),
    ],
    "end of tokens": [
        SMALL,
        ("hold-credits", {"user": "ann", "tokens": 120}, "amy"),
        wait(35 * 86_400),
        ("expire-promo", {"user": "ann"}, "amy"),
        ("lapse-tokens", {"user": "ann"}, "amy"),
        ("release-hold", {"hold": Ref("hold", 0)}, "amy"),
        refund(50),
        ("lapse-tokens", {"user": "ann"}, "amy"),
    ],
}


def taken(name: str, skipped: set[int]) -> list[Step]:
    """The steps of a course that are taken."""
    return [step for nth, step in enumerate(COURSES[name]) if nth not in skipped]


courses: st.SearchStrategy[list[Step]] = st.builds(
    taken, st.sampled_from(sorted(COURSES)), st.sets(st.integers(0, 9), max_size=3)
)
"""The steps of some course, a few left out."""
