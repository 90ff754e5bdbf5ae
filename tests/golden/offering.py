"""Offers in the golden history: published, used in every way, given back and withdrawn."""

from typing import Any

from tests.scenarios.steps import CREATOR, FAN, Sent, card_tip, card_unlock
from tests.scenarios.steps_products import authorize, named
from tests.scenarios.write_path import WritePath

FOR_LONG = {"starts_at": "2020-01-01T00:00:00Z", "ends_at": "2096-01-01T00:00:00Z"}
SPRING = {"offer": "spring"}
DE = {"country": "DE"}
TIERS = ["NEW", "REGULAR"]


def offering(stage: WritePath) -> None:
    """One offer takes tenths off and the platform pays some; one is for somebody's first sale."""
    spring = {
        **SPRING,
        "products": ["unlock", "tip", "session", "subscription"],
        "discount_bps": 1_000,
        "platform_discount": 150,
        "max_uses": 100,
        "max_uses_per_user": 50,
    }
    eligible = {"first_purchase": True, "users": ["newcomer"]}
    first = {"offer": "first", "products": ["message"], "discount": 99, "eligible": eligible}
    stage.given(
        Sent("publish-offer", {**spring, **FOR_LONG}),
        Sent("publish-offer", {**first, **FOR_LONG}),
        _by_card("unlock-message", "welcome", offer="first", user="newcomer"),
        _by_card("buy-ticket", "matinee", platform_discount=200),
    )
    _for_regulars(stage)
    _taken_back(stage)
    _booked(stage)
    period = {"period_start": "2026-01-01T00:00:00Z", "period_end": "2026-02-01T00:00:00Z"}
    subscription = {"subscription": "sub-spring"}
    terms = {"user": FAN, "creator": CREATOR, "price": 999}
    paid = {**subscription, **period, "price": 999, **SPRING, **_stripe("spring-period")}
    stage.given(
        Sent("start-subscription", {**subscription, **terms}),
        Sent("charge-period", paid),
        Sent("cancel-subscription", subscription),
        Sent("withdraw-offer", SPRING),
    )


def _for_regulars(stage: WritePath) -> None:
    """The scheduler finds that a member has spent enough for a tier, and so for an offer."""
    spent = {"at": "2026-02-01T00:00:00Z", "spend": 2_000, "window_days": 30, "as_of_position": 9}
    terms = {"offer": "regulars", "products": ["tip"], "discount": 1, "eligible": {"tiers": TIERS}}
    stage.given(
        Sent("change-tier", {"user": "newcomer", **spent}, "scheduler", "scheduler"),
        Sent("publish-offer", {**terms, **FOR_LONG}),
        card_tip(500, user="newcomer", processor_ref="regular-tip", offer="regulars"),
    )


def _taken_back(stage: WritePath) -> None:
    """A tip is refunded, the refund fails, then the payment; an unlock is lost and won."""
    tip = {"payment_ref": "spring-tip"}
    closed = {"dispute": "spring-dispute", "processor": "stripe"}
    stage.given(
        card_tip(1_000, processor_ref="spring-tip", **SPRING, **DE),
        Sent("record-refund", {**tip, "amount": 400, **_stripe("spring-refund")}),
        Sent(
            "fail-refund",
            {"refund": "spring-refund", "reason_code": "CLOSED", **_stripe("spring-failed")},
        ),
        Sent("fail-payment", {**tip, "reason_code": "RETURNED", **_stripe("spring-bounced")}),
        card_unlock(999, "poster", processor_ref="spring-item", **SPRING, **DE),
        Sent(
            "open-dispute",
            {"payment_ref": "spring-item", "amount": 700, "fee": 0, **_stripe("spring-dispute")},
        ),
        [
            Sent(
                "close-dispute",
                {**closed, "outcome": outcome, "processor_ref": f"spring-{outcome}"},
            )
            for outcome in ("LOST", "WON")
        ],
    )


def _booked(stage: WritePath) -> None:
    """Of three sessions with the offer one takes place, one is given up and one is refused."""
    ends: dict[str, dict[str, Any]] = {
        "capture": {"amount": 7_000},
        "void": {"reason_code": "CANCELLED"},
        "fail-payment": {"reason_code": "DECLINED", **_stripe("spring-declined")},
    }
    for command, more in ends.items():
        stage.given(authorize(10_000, "STANDARD", f"spring-{command}", **SPRING))
        stage.given(Sent(command, {"payment": named(stage, "payment_id"), **more}))


def _by_card(command: str, item: str, **more: Any) -> Sent:
    fields = {"user": FAN, "creator": CREATOR, "item": item, "funding": "CARD", "price": 999}
    return Sent(command, {**fields, **_stripe(f"offered-{item}"), **more})


def _stripe(ref: str) -> dict[str, str]:
    return {"processor": "stripe", "processor_ref": ref}
