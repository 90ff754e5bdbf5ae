"""Selling in the auditor's eyes: tips, items, subscriptions and sessions, by token and by card."""

from collections import Counter
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from tests.reference_model.books import instant
from tests.reference_model.earnings import Sale
from tests.reference_model.offers import Offers
from tests.reference_model.verdicts import (
    NOTHING,
    Verdict,
    foreign,
    nearest,
    of,
    parked,
    rejected,
    suspended,
)

PRODUCTS = {
    "send-tip": "tip",
    "unlock": "unlock",
    "unlock-message": "message",
    "buy-ticket": "ticket",
}
TERMS = ("maturity_days", "refund_window_days", "frozen_creator_rule")


class Selling(Offers):
    """Everything that a buyer pays a creator for, calls aside."""

    def __init__(self, book: str) -> None:
        super().__init__(book)
        self.subscriptions: dict[str, dict[str, Any]] = {}
        self.sessions: dict[str, dict[str, Any]] = {}

    def sale(self, command: str, fields: dict[str, Any]) -> Verdict:
        """A tip or an item."""
        product, policy, by_card = PRODUCTS[command], self.policy(), fields["funding"] == "CARD"
        price = fields.get("amount", fields.get("price", 0))
        off = self.off(fields, price)
        if off is None:
            return parked() if by_card else rejected("UNKNOWN_OFFER")
        discount, ours = off
        paid = price - discount
        if by_card and (other := self.other_currency(fields)) is not None:
            return foreign(paid - ours, other)
        code = (
            "NO_POLICY" if policy is None else self._against(policy, product, price, paid, fields)
        )
        if by_card and code is None and self.is_taken(fields):
            code = "DUPLICATE_PAYMENT"
        if by_card and code is not None:
            return suspended(code, paid - ours)
        if code is not None:
            return rejected(code)
        assert policy is not None
        buyer, creator = fields["user"], fields["creator"]
        lacking = None if by_card else self.short(buyer, paid)
        if lacking is not None:
            return lacking
        sale: Sale = {
            "id": self.new_id,
            "buyer": buyer,
            "funding": fields["funding"],
            **self.terms(policy, self.happened(fields), late=True),
            "escrow": self.is_frozen("creator", creator, "EARN"),
            "items": [fields["item"]] if "item" in fields else [],
            "until": instant(fields["access_until"]) if "access_until" in fields else None,
        }
        self.redeem(fields, buyer)
        if by_card:
            bps = self.share(policy, product)
            sale |= self.by_card(paid, {creator: 1}, bps, *self.vat(policy, fields), ours=ours)
            return self.counted(self.sold(sale, fields))
        bps, unit = self.share(policy, product), policy["unit_value"]
        return self.spent(sale, creator, paid, bps, unit)

    def _against(
        self, policy: dict[str, Any], product: str, price: int, paid: int, fields: dict[str, Any]
    ) -> str | None:
        user, funding = fields["user"], fields["funding"]
        worth = price * policy["unit_value"] if funding == "TOKEN" else price
        code = self.parties(policy, user, fields["creator"], product, funding)
        code = code or self.price(policy, product, worth, fields.get("item_class"))
        if code is None and funding == "CARD" and paid:
            code = self.untaxed(policy, fields)
        at = self.happened(fields) if funding == "CARD" else self.now
        code = code or self.not_offered(fields, user, product, funding, at)
        offer = fields.get("offer_expires_at")
        if code is None and offer and instant(offer) <= self.now:
            return "OFFER_EXPIRED"
        if code is None and self.entitled(user, fields.get("item", "")):
            return "ALREADY_ENTITLED"
        return code

    def entitled(self, user: str, item: str) -> bool:
        """Whether the item is the user's now."""
        ends = self.owned[user, item].values()
        return any(until is None or self.now < until for until in ends)

    def terms(self, policy: dict[str, Any], at: datetime, *, late: bool) -> dict[str, Any]:
        """When a sale matures and until when it may be refunded."""
        window = policy.get("refund_window_days")
        return {
            "mature_at": self.matures(at, policy.get("maturity_days", 0), late=late),
            "refund_until": at + timedelta(days=window) if window else None,
        }

    def by_card(
        self,
        full: int,
        payees: dict[str, int],
        bps: int,
        country: str | None,
        rate: int,
        *,
        ours: int = 0,
    ) -> Sale:
        """Tax first, then the creators, and the platform has the rest; `ours` is its to pay."""
        tax = nearest(Fraction(full * rate, 10_000 + rate))
        share = of(full - tax, bps)
        return {
            "paid": full - ours,
            "ours": ours,
            "tax": tax,
            "country": country,
            "share": share,
            "platform": full - tax - share,
            "earnings": self.weighed(share, payees),
        }

    def counted(self, sale: Sale) -> Verdict:
        """The amounts that the sale's event must show."""
        numbers = {
            "creator_share": sale["share"],
            "platform_share": sale["platform"],
            "tax": sale["tax"],
            "platform_discount": sale.get("ours", 0),
        }
        return Verdict("accepted", numbers=numbers)

    def spent(
        self,
        sale: Sale,
        creator: str,
        tokens: int,
        bps: int,
        unit: int,
        at: datetime | None = None,
    ) -> Verdict:
        """A sale for tokens that are there, or were at some moment before."""
        buyer = sale["buyer"]
        uses, kinds = self.taken(buyer, tokens, at=at), Counter[str]()
        for use in uses:
            use["released"] = self.release(use["lot"], use["tokens"])
            kinds[use["lot"]["kind"]] += use["tokens"]
        released = sum(use["released"] for use in uses)
        share = of(tokens * unit, bps)
        paid_part = nearest(Fraction(share * kinds["PAID"], tokens)) if tokens else share
        for kind, count in kinds.items():
            self.supply(buyer, kind, -count)
        if tokens:
            self.bought.add(buyer)
        sale |= {
            "paid": tokens,
            "unit": unit,
            "tax": 0,
            "country": None,
            "share": share,
            "platform": released - paid_part,
            "promo_tokens": kinds["PROMO"],
            "promo_part": share - paid_part,
            "uses": uses,
            "earnings": [{"creator": creator, "share": share}],
        }
        sale = self.sold(sale, {})
        self.money(
            ("deferred", released),
            ("exp.promo", share - paid_part),
            ("rev.margin", paid_part - released),
            *self.earn(sale),
        )
        more = {"released": released, "tokens_paid": kinds["PAID"], "tokens_promo": kinds["PROMO"]}
        verdict = self.counted(sale)
        return Verdict("accepted", numbers=verdict.numbers | more)

    def _subscribes(self, policy: dict[str, Any], user: str, creator: str) -> str | None:
        """Why nobody subscribes to a creator, or to the platform where there is none."""
        if creator:
            return self.parties(policy, user, creator, "subscription", "CARD")
        if self.is_frozen("wallet", user, "SPEND"):
            return "ACCOUNT_FROZEN"
        return None if policy.get("platform_subscriptions") else "PRODUCT_DISABLED"

    def start_subscription(self, fields: dict[str, Any]) -> Verdict:
        """Somebody subscribes."""
        policy, user, creator = self.policy(), fields["user"], fields.get("creator", "")
        if policy is None:
            return rejected("NO_POLICY")
        code = self._subscribes(policy, user, creator)
        code = code or self.price(policy, "subscription", fields["price"])
        if code is not None:
            return rejected(code)
        if fields["subscription"] in self.subscriptions:
            return rejected("INVALID_TRANSITION")
        self.subscriptions[fields["subscription"]] = {
            "state": "active",
            "user": user,
            "creator": creator,
            "starts": set(),
            "until": None,
            "ended": None,
        }
        return Verdict("accepted")

    def charge_period(self, fields: dict[str, Any]) -> Verdict:
        """A period was paid."""
        known, price = self.subscriptions.get(fields["subscription"]), fields["price"]
        off = self.off(fields, price)
        if off is None:
            return parked()
        discount, ours = off
        full = price - discount
        if (other := self.other_currency(fields)) is not None:
            return foreign(full - ours, other)
        if known is None:
            return parked()
        at = self.happened(fields)
        policy, user, creator = self.policy(at), known["user"], known["creator"]
        if policy is None:
            return suspended("NO_POLICY", full - ours)
        code = self._subscribes(policy, user, creator)
        code = code or self.price(policy, "subscription", price)
        code = code or self.untaxed(policy, fields)
        code = code or self.not_offered(fields, user, "subscription", "CARD", at)
        start, end = instant(fields["period_start"]), instant(fields["period_end"])
        if code is None and self.is_taken(fields):
            code = "DUPLICATE_PAYMENT"
        if code is None and start in known["starts"]:
            code = "DUPLICATE_PERIOD"
        if code is None and known["ended"] is not None and start >= known["ended"]:
            code = "INVALID_TRANSITION"
        if code is not None:
            return suspended(code, full - ours)
        self.redeem(fields, user)
        known["starts"].add(start)
        known["until"] = max(known["until"] or end, end)
        if known["state"] == "grace":
            known["state"] = "active"
        bps = self.share(policy, "subscription") if creator else 0
        sale = {
            "id": self.new_id,
            "buyer": user,
            "funding": "CARD",
            **self.terms(policy, at, late=True),
            "escrow": self.is_frozen("creator", creator, "EARN"),
            "items": [fields["subscription"], creator] if creator else [fields["subscription"]],
            "until": end,
            "income": "rev.commission" if creator else "rev.subscription",
        }
        payees = {creator: 1} if creator else {}
        sale |= self.by_card(full, payees, bps, *self.vat(policy, fields), ours=ours)
        return self.counted(self.sold(sale, fields))

    def change_subscription(self, fields: dict[str, Any]) -> Verdict:
        """From a period to come it is another plan."""
        known, policy = self.subscriptions.get(fields["subscription"]), self.policy()
        if known is None:
            return rejected("UNKNOWN_SUBSCRIPTION")
        assert policy is not None
        code = self._subscribes(policy, known["user"], known["creator"])
        code = code or self.price(policy, "subscription", fields["price"])
        if code is not None:
            return rejected(code)
        at = instant(fields["from_period"])
        if known["ended"] is not None or any(at <= start for start in known["starts"]):
            return rejected("INVALID_TRANSITION")
        return Verdict("accepted")

    def fail_period(self, fields: dict[str, Any]) -> Verdict:
        """A period could not be charged."""
        if self.other_currency(fields) is not None:
            return suspended("CURRENCY_MISMATCH", 0)
        known = self.subscriptions.get(fields["subscription"])
        if known is None:
            return parked()
        if instant(fields["period_start"]) in known["starts"]:
            return suspended("INVALID_TRANSITION", 0)
        if known["ended"] is not None:
            return NOTHING
        known["state"] = "grace"
        return Verdict("accepted")

    def cancel_subscription(self, fields: dict[str, Any]) -> Verdict:
        """No more periods."""
        known = self.subscriptions.get(fields["subscription"])
        if known is None:
            return rejected("UNKNOWN_SUBSCRIPTION")
        if known["ended"] is not None:
            return rejected("INVALID_TRANSITION")
        known["ended"] = self.now
        return Verdict("accepted")

    def lapse_subscription(self, fields: dict[str, Any]) -> Verdict:
        """It is not paid any more."""
        known = self.subscriptions.get(fields["subscription"])
        if known is None:
            return rejected("UNKNOWN_SUBSCRIPTION")
        paid = known["until"] is not None and self.now < known["until"]
        if known["ended"] is not None or (paid and known["state"] == "active"):
            return rejected("INVALID_TRANSITION")
        known["ended"] = self.now
        return Verdict("accepted")
