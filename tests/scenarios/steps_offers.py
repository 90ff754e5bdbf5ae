"""Words of offers: published for a while, named by sales, withdrawn."""

from typing import Any

from tests.scenarios.steps import Sent

SPRING = "spring"
ALWAYS = {"starts_at": "2020-01-01T00:00:00Z", "ends_at": "2096-01-01T00:00:00Z"}
PRODUCTS = ["unlock", "message", "ticket", "tip", "session", "subscription"]


def offer(name: str = SPRING, products: list[str] | None = None, **terms: Any) -> Sent:
    """An offer for everything there is, and for long, unless it says otherwise."""
    fields = {"offer": name, "products": products or PRODUCTS, **ALWAYS, **terms}
    return Sent("publish-offer", fields)


def withdrawn(name: str = SPRING) -> Sent:
    """The offer ends before its time."""
    return Sent("withdraw-offer", {"offer": name})
