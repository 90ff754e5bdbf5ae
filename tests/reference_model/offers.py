"""Offers in the auditor's eyes: what they take off, for whom, and how often they were used."""

from collections import Counter, defaultdict
from datetime import datetime
from fractions import Fraction
from typing import Any

from tests.reference_model.books import instant
from tests.reference_model.earnings import Earnings
from tests.reference_model.verdicts import Verdict, nearest, rejected


class Offers(Earnings):
    """Offers by name, each with a count of its uses by user."""

    def __init__(self, book: str) -> None:
        super().__init__(book)
        self.offers: dict[str, dict[str, Any]] = {}
        self.tiers: dict[str, str] = defaultdict(lambda: "NEW")

    def publish_offer(self, fields: dict[str, Any]) -> Verdict:
        """An offer stands."""
        ladder = (self.policy() or {}).get("tier_ladder", [])
        known = {"NEW", *(step["tier"] for step in ladder)}
        if not known >= set(fields.get("eligible", {}).get("tiers", ())):
            return rejected("UNKNOWN_TIER")
        if instant(fields["ends_at"]) <= self.now:
            return rejected("OFFER_EXPIRED")
        if fields["offer"] in self.offers:
            return rejected("INVALID_TRANSITION")
        ends = instant(fields["ends_at"])
        self.offers[fields["offer"]] = {"fields": fields, "ends": ends, "used": Counter()}
        return Verdict("accepted")

    def withdraw_offer(self, fields: dict[str, Any]) -> Verdict:
        """An offer stands no more."""
        offer = self.offers.get(fields["offer"])
        if offer is None:
            return rejected("UNKNOWN_OFFER")
        if offer.get("withdrawn"):
            return rejected("INVALID_TRANSITION")
        offer |= {"withdrawn": True, "ends": min(offer["ends"], self.now)}
        return Verdict("accepted")

    def off(self, fields: dict[str, Any], price: int) -> tuple[int, int] | None:
        """What the buyer is let off, and what of the rest is ours to pay; None: by no known offer.

        The buyer of anything still pays a cent of what we share.
        """
        if "offer" not in fields:
            return fields.get("discount", 0), fields.get("platform_discount", 0)
        if fields["offer"] not in self.offers:
            return None
        terms = self.offers[fields["offer"]]["fields"]
        part = nearest(Fraction(price * terms.get("discount_bps", 0), 10_000))
        discount = min(price, terms.get("discount", 0) + part)
        ours = min(terms.get("platform_discount", 0), price - discount - 1)
        return discount, max(0, ours)

    def not_offered(
        self, fields: dict[str, Any], user: str, product: str, funding: str, at: datetime
    ) -> str | None:
        """Why the offer that is named is not for this."""
        if "offer" not in fields:
            return None
        offer = self.offers[fields["offer"]]
        terms, used = offer["fields"], offer["used"]
        eligible = terms.get("eligible", {})
        if at >= offer["ends"]:
            return "OFFER_EXPIRED"
        reasons = (
            at < instant(terms["starts_at"]),
            product not in terms["products"],
            funding == "TOKEN" and "platform_discount" in terms,
            user not in eligible.get("users", [user]),
            eligible.get("first_purchase") and (user in self.bought or used[user]),
            "tiers" in eligible and self.tiers[user] not in eligible["tiers"],
        )
        if any(reasons):
            return "OFFER_NOT_ELIGIBLE"
        limits = (
            (sum(used.values()), terms.get("max_uses")),
            (used[user], terms.get("max_uses_per_user")),
        )
        exhausted = any(limit is not None and uses >= limit for uses, limit in limits)
        return "OFFER_EXHAUSTED" if exhausted else None

    def redeem(self, fields: dict[str, Any], user: str, uses: int = 1) -> None:
        """The offer that is named, if any, has so many more uses."""
        if "offer" in fields:
            self.offers[fields["offer"]]["used"][user] += uses
