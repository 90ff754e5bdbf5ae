"""Random commands, valid and not: small populations and round numbers, so that things collide.

What a command refers to is drawn as a `Ref`, a `Later` or a `Token`; whoever sends it resolves
them by what has happened so far. So sequences hang together, and shrink well.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from hypothesis import strategies as st

from tests.scenarios.policies import MICRO_UNLOCK

POLICY: dict[str, Any] = {
    **MICRO_UNLOCK,
    "packages": {
        "small": {"tokens": 1000, "bonus": 100, "price": 999},
        "odd": {"tokens": 7, "bonus": 0, "price": 13},
    },
    "revenue_share": {"default": 8000, "tip": 3333, "ticket": 8999},
    "products_enabled": ["unlock", "ticket", "tip"],
    "price_bounds": {
        "unlock": {"min": 99, "max": 9999},
        "unlock:micro": {"min": 1, "max": 399},
        "ticket:micro": {"min": 99, "max": 100},
    },
}
EVERYTHING = ["unlock", "message", "ticket", "tip", "call", "subscription", "session", "hold"]
QUICK: dict[str, Any] = {
    **POLICY,
    "products_enabled": EVERYTHING,
    "revenue_share": {
        "default": 8000,
        "tip": 3333,
        "message": 5000,
        "ticket": 5000,
        "tiers": {"STANDARD": 5000, "EXPERT": 8001},
    },
    "payout_minimum": 100,
    "platform_subscriptions": True,
    "dispute_fee_refundable": True,
    "tier_ladder": [{"tier": "VIP", "min": 1_500}, {"tier": "REGULAR", "min": 300}],
}
SLOW: dict[str, Any] = {
    **QUICK,
    "revenue_share": {"default": 6667, "call": 7001, "tiers": {"STANDARD": 7000}},
    "vat": {"DE": 1900, "FR": 2000},
    "default_country": "DE",
    "maturity_days": 2,
    "tier_window_days": 3,
    "frozen_creator_rule": "ESCROW",
    "withholding_bps": 1000,
    "risk": {"freeze_after_disputes": 3, "freeze_after_amount": 2_500},
    "final_block": "CHARGED",
    "hold_expiry_hours": 24,
    "promo_expiry_days": 3,
    "breakage_months": 1,
    "refund_window_days": 5,
    "refund_reasons": ["REVIEW", "FRAUD"],
    "payout_schedule": "DAILY",
    "dispute_fee_refundable": False,
}
PLATFORM: dict[str, Any] = {
    **QUICK,
    "dispute_bearer": "PLATFORM",
    "tier_ladder": [],
    "bonus_class": "PAID",
    "vat": {"DE": 1900},
    "vat_elsewhere": 700,
    "instant_fee_bps": None,
    "maturity_days": 7,
}
LOSING = {**QUICK, "packages": {"bad": {"tokens": 1000, "price": 1}}}
FOREIGN = {**QUICK, "currency": "EUR"}
POLICIES = {"quick": QUICK, "slow": SLOW, "platform": PLATFORM}
BODIES = {**POLICIES, "losing": LOSING, "foreign": FOREIGN}


TWIN = "adyen"
"""A processor that always comes with a reference which another one has used."""


@dataclass(frozen=True)
class Ref:
    """Something of a kind that exists, or that does not (yet)."""

    kind: str
    nth: int
    prefix: str = ""


@dataclass(frozen=True)
class Body:
    """A whole policy, by its name."""

    name: str


@dataclass(frozen=True)
class Later:
    """A time so many seconds from now."""

    seconds: int


@dataclass(frozen=True)
class Token:
    """The book's asset of a class of token."""

    kind: str


class Known:
    """What can be referred to: ids by kind, the last one first; and the references to come."""

    MADE: ClassVar = {
        "sale_id": "sale",
        "purchase_id": "purchase",
        "hold_id": "hold",
        "payment_id": "authorization",
        "payout_id": "payout",
        "dispute_id": "dispute",
        "refund_id": "refund",
        "adjustment_id": "adjustment",
        "proposal": "proposal",
        "break_id": "break",
    }
    REFERENCES: ClassVar = {
        "open-dispute": "dispute",
        "record-refund": "report",
        "record-purchase": "payment",
        "send-tip": "payment",
        "unlock": "payment",
        "unlock-message": "payment",
        "buy-ticket": "payment",
        "authorize": "payment",
        "charge-period": "payment",
    }

    def __init__(self, book: str) -> None:
        self._book = book
        self._ids: dict[str, dict[str, None]] = defaultdict(dict)
        self._counts: Counter[str] = Counter()
        self._twins: Counter[int] = Counter()

    def learn(self, body: dict[str, Any]) -> None:
        """What an event has made."""
        for name, kind in self.MADE.items():
            if body.get(name):
                self._ids[kind][body[name]] = None

    def resolved(self, command: str, fields: dict[str, Any], now: datetime) -> dict[str, Any]:
        """The fields as they are sent, with a processor's reference of their own."""
        fields = {name: self._value(value, now) for name, value in fields.items()}
        if "processor_ref" in fields:
            kind = self.REFERENCES.get(command, "other")
            if fields["processor"] == TWIN and kind == "payment":
                self._twins[self._counts[kind]] += 1
                fields["processor"] = f"{TWIN}-{self._twins[self._counts[kind]]}"
            else:
                self._counts[kind] += 1
            fields["processor_ref"] = f"{kind}-{self._counts[kind]}"
            self._ids[kind][fields["processor_ref"]] = None
        return fields

    def _value(self, value: Any, now: datetime) -> Any:
        match value:
            case Ref():
                return value.prefix + self._id(value.kind, value.nth)
            case Later():
                at = now + timedelta(seconds=value.seconds)
                return f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"
            case Body():
                return BODIES[value.name]
            case Token():
                return f"{self._book}.{value.kind}"
            case list():
                return [self._value(one, now) for one in value]
            case dict():
                return {name: self._value(one, now) for name, one in value.items()}
        return value

    def _id(self, kind: str, nth: int) -> str:
        """The nth from the last; a negative one is of something to come, or of nothing."""
        ids = list(self._ids[kind])
        if nth < 0:
            return f"{kind}-{self._counts[kind] - nth}"
        return ids[-1 - nth % min(len(ids), 8)] if ids else "nothing"


people = st.sampled_from(["ann", "ben", "cid"])
creators = st.sampled_from(["carl", "cora", "ann"])
items = st.sampled_from(["photo", "film", "song"])
prices = st.sampled_from([0, 1, 98, 99, 100, 333, 399, 701, 9_999, 10_000, 10**12])
amounts = st.sampled_from([1, 7, 99, 100, 133, 200, 399, 701, 999, 2_500, 9_999])
references = st.integers(1, 10**9).map(lambda n: f"ref-{n}")
seconds = st.sampled_from([-3_600, -1, 0, 6, 60, 3_600, 90_000, 3_000_000])
waits = st.sampled_from([1, 29, 30, 31, 90, 901, 4 * 3_600, 86_400, 3 * 86_400, 35 * 86_400])
numbers = st.integers(0, 7)
upcoming = st.sampled_from([-2, -1, -1, 0, 0, 0, 1, 2, 3])
reasons = st.just("REVIEW")
#: Why a refund is asked for; one of the policies has a list on which the last is not.
asked_for = st.sampled_from(["REVIEW", "REVIEW", "REVIEW", "WHIM"])
countries = st.sampled_from(["DE", "FR"])
token = st.just({"funding": "TOKEN"})
processors = st.sampled_from(["stripe"] * 7 + [TWIN])
paid_by_card = {"processor": processors, "processor_ref": references}
card = st.fixed_dictionaries({"funding": st.just("CARD"), **paid_by_card})
Fields = st.SearchStrategy[dict[str, Any]]


def ref(kind: str, which: st.SearchStrategy[int] = numbers) -> st.SearchStrategy[Any]:
    """Something that exists, if anything of its kind does."""
    return st.builds(Ref, st.just(kind), which)


def merged(*parts: Fields) -> Fields:
    """The fields of all parts."""
    return st.tuples(*parts).map(lambda found: {k: v for part in found for k, v in part.items()})


def some(optional: dict[str, st.SearchStrategy[Any]], **mandatory: Any) -> Fields:
    """Mandatory fields, and some of the optional ones."""
    return st.fixed_dictionaries(mandatory, optional=optional)


def discounted(fields: dict[str, Any]) -> dict[str, Any]:
    """Discounts that leave something to pay, or else an offer, from which they follow."""
    price = fields.get("price", fields.get("amount", 0))
    discount, ours = min(fields.get("discount", 0), price), fields.get("platform_discount", 0)
    if "offer" in fields or fields.get("funding") == "TOKEN" or price - discount < 2:
        ours = 0
    if "offer" in fields:
        discount = 0
    ours = max(0, min(ours, price - discount - 1))
    reduced = {**fields, "discount": discount, "platform_discount": ours}
    return {n: v for n, v in reduced.items() if v or n not in ("discount", "platform_discount")}


offers = st.sampled_from(["spring", "first", "coupon", "few"])
reductions = {"offer": offers, "platform_discount": st.sampled_from([1, 30, 99, 1_500])}


_item = merged(
    st.fixed_dictionaries(
        {
            "user": people,
            "creator": creators,
            "item": items,
            "price": prices,
            "discount": st.sampled_from([0, 0, 0, 1, 50, 10**12]),
        },
        optional={"item_class": st.sampled_from(["micro", "other"]), **reductions},
    ),
    token | card,
).map(discounted)
_flag = st.fixed_dictionaries(
    {
        "subject": st.sampled_from(["ann", "ben", "carl", "cora"]),
        "kind": st.sampled_from(["wallet", "creator"]),
        "scope": st.sampled_from(["SPEND", "EARN", "PAYOUT"]),
        "reason_code": reasons,
    }
)

SPENDING: dict[str, Fields] = {
    "record-purchase": st.fixed_dictionaries(
        {
            "user": people,
            "package": st.sampled_from(["small", "small", "small", "odd", "huge"]),
            "price": st.sampled_from([999, 999, 999, 13, 998]),
            **paid_by_card,
        }
    ),
    "grant-promo": st.fixed_dictionaries(
        {"user": people, "tokens": st.integers(1, 500), "reason_code": st.just("GIFT")}
    ),
    "send-tip": merged(
        some(reductions, user=people, creator=creators, amount=st.integers(1, 400)),
        token | card,
    ).map(discounted),
    "unlock": _item,
    "unlock-message": _item,
    "buy-ticket": _item,
    "freeze": _flag,
    "unfreeze": _flag,
}
"""Commands that refer to nothing."""

# Spending is what goes wrong, so it is drawn most often.
_often = ["send-tip"] * 5 + ["unlock", "buy-ticket", "record-purchase"] * 3
commands = st.sampled_from([*_often, *SPENDING]).flatmap(
    lambda name: st.tuples(st.just(name), SPENDING[name])
)
