"""Words of offers: published for a while, named by sales, withdrawn."""

from typing import Any

from tests.scenarios.steps import FAN, Sent

SPRING = "spring"
ALWAYS = {"starts_at": "2020-01-01T00:00:00Z", "ends_at": "2096-01-01T00:00:00Z"}
PRODUCTS = ["unlock", "message", "ticket", "tip", "session", "subscription"]


def offer(name: str = SPRING, products: list[str] | None = None, **terms: Any) -> Sent:
    """An offer for everything there is, and for long, unless it says otherwise."""
    fields = {"offer": name, "products": products or PRODUCTS, **ALWAYS, **terms}
    return Sent("publish-offer", fields)


def tier_change(spend: int, position: int, at: str = "2026-01-31T00:00:00Z") -> Sent:
    """The scheduler has read what the fan spent in the 30 days up to `at`."""
    told = {"user": FAN, "at": at, "spend": spend, "window_days": 30, "as_of_position": position}
    return Sent("change-tier", told, "scheduler", "scheduler")


def withdrawn(name: str = SPRING) -> Sent:
    """The offer ends before its time."""
    return Sent("withdraw-offer", {"offer": name})
