"""More that people do: calls, holds, authorisations and subscriptions, in sentences."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.scenarios.stage import Stage
from tests.scenarios.steps import CREATOR, FAN, Sent

#: Far enough ahead for access to last as long as these tests do.
PERIOD_ONE = datetime(2096, 11, 1, tzinfo=UTC)


def verified(creator: str = CREATOR) -> Sent:
    """Somebody checked who the creator is."""
    return Sent("verify-creator", {"creator": creator, "verified": True})


def call(rate: int, call: str = "call-1", user: str = FAN) -> Sent:
    """A fan calls the creator at so many tokens a minute."""
    fields = {"call": call, "user": user, "creator": CREATOR, "rate": rate}
    return Sent("start-call", fields)


def meter(call: str = "call-1", **more: Any) -> Sent:
    """A tick."""
    return Sent("meter-call", {"call": call, **more})


def turn(what: str, call: str = "call-1") -> Sent:
    """Somebody pauses, resumes or ends the call."""
    return Sent(f"{what}-call", {"call": call})


def hold(tokens: int, user: str = FAN, **more: Any) -> Sent:
    """Credits are set aside for a campaign."""
    return Sent("hold-credits", {"user": user, "tokens": tokens, **more})


def settle(hold: str, batch: int, used: int) -> Sent:
    """A batch of the campaign used so many."""
    return Sent("settle-batch", {"hold": hold, "batch_no": batch, "used": used})


def release(hold: str) -> Sent:
    """The campaign is over."""
    return Sent("release-hold", {"hold": hold})


def authorize(amount: int, tier: str, ref: str, **more: Any) -> Sent:
    """A card stands for a session."""
    fields = {
        "session": f"session-{ref}",
        "user": FAN,
        "payee": CREATOR,
        "tier": tier,
        "amount": amount,
        "processor": "stripe",
        "processor_ref": ref,
    }
    return Sent("authorize", {**fields, **more})


def capture(payment: str, amount: int) -> Sent:
    """The session took place."""
    return Sent("capture", {"payment": payment, "amount": amount})


def subscribe(price: int, subscription: str = "sub-1") -> Sent:
    """A fan subscribes to the creator."""
    fields = {"subscription": subscription, "user": FAN, "creator": CREATOR, "price": price}
    return Sent("start-subscription", fields)


def period(number: int, price: int, ref: str | None = None) -> Sent:
    """The processor charged a period of 30 days."""
    start = PERIOD_ONE + timedelta(days=30 * (number - 1))
    fields = {
        "subscription": "sub-1",
        "period_start": f"{start:%Y-%m-%dT00:00:00Z}",
        "period_end": f"{start + timedelta(days=30):%Y-%m-%dT00:00:00Z}",
        "price": price,
        "processor": "stripe",
        "processor_ref": ref or f"invoice-{number}",
    }
    return Sent("charge-period", fields)


def named(stage: Stage, field: str) -> str:
    """The id that the service gave to what the last command made."""
    (entry,) = stage.entries()[-1:]
    found: str = getattr(entry.event(), field)
    return found


def at(stage: Stage, seconds: float) -> Stage:
    """It is so many seconds after the call began: to the microsecond, the next command's time."""
    started = [e.recorded_at for e in stage.entries() if e.type == "call.started.v1"][-1]
    return stage.clock(started + timedelta(seconds=seconds, microseconds=-1))
