"""Wallets: lots as dictionaries in the order of spending, what buys them and what ends them."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Any

from tests.reference_model.books import EVER, Books, instant
from tests.reference_model.verdicts import NOTHING, Verdict, foreign, nearest, rejected, suspended

Lot = dict[str, Any]
Uses = list[dict[str, Any]]


class Wallets(Books):
    """Lots, what users owe, and which call and subscriptions they are in."""

    def __init__(self, book: str) -> None:
        super().__init__(book)
        self.lots: dict[str, list[Lot]] = defaultdict(list)
        self.debts: Counter[str] = Counter()
        self.in_call: dict[str, str] = {}
        self.purchases: dict[str, dict[str, Any]] = {}

    def lot(self, user: str, purchase: str, kind: str, tokens: int, price: int, **more: Any) -> Lot:
        """A new lot at its place, its tokens not yet posted. Ids are in the order of time."""
        lot = {
            "place": (purchase, "", 0),
            "purchase": purchase,
            "kind": kind,
            "tokens": tokens,
            "price": price,
            "used": 0,
            "held": 0,
            "ends": None,
            "since": self.now,
            **more,
        }
        lots = self.lots[user]
        lots.append(lot)
        lots.sort(
            key=lambda one: (
                one["kind"] == "PAID",
                one["ends"] or EVER if one["kind"] == "PROMO" else EVER,
                one["place"],
            )
        )
        return lot

    def supply(self, user: str, kind: str, tokens: int, where: str = "free") -> None:
        """Tokens come into the world, or leave it."""
        self.post(self.tokens[kind], ("supply", tokens), (f"w.{user}.{where}", -tokens))

    def set_aside(self, user: str, kind: str, tokens: int) -> None:
        """Free tokens become held ones, or the reverse."""
        self.post(self.tokens[kind], (f"w.{user}.free", tokens), (f"w.{user}.held", -tokens))

    def free(self, lot: Lot) -> int:
        """What is neither used nor held."""
        left: int = lot["tokens"] - lot["used"] - lot["held"]
        return left

    def lives(self, lot: Lot, at: datetime | None = None) -> bool:
        """Whether it is there, and its time is not over: now, or at some moment before."""
        at = at or self.now
        return bool(lot["since"] <= at and (lot["ends"] is None or at < lot["ends"]))

    def wallet(self, user: str, at: datetime | None = None) -> int:
        """What may be spent; or of that, what could have been at some moment before."""
        return sum(self.free(lot) for lot in self.lots[user] if self.lives(lot, at))

    def release(self, lot: Lot, tokens: int) -> int:
        """Use tokens of a lot; what they release of its price, so that all release all of it."""
        before = floor(Fraction(lot["price"] * lot["used"], lot["tokens"]))
        lot["used"] += tokens
        return floor(Fraction(lot["price"] * lot["used"], lot["tokens"])) - before

    def taken(
        self,
        user: str,
        tokens: int,
        kinds: tuple[str, ...] = ("PROMO", "PAID"),
        at: datetime | None = None,
    ) -> Uses:
        """From which lots so many tokens would come."""
        uses = []
        for lot in self.lots[user]:
            if lot["kind"] in kinds and self.lives(lot, at) and tokens and self.free(lot):
                part = min(tokens, self.free(lot))
                uses.append({"lot": lot, "tokens": part, "back": 0, "released": 0})
                tokens -= part
        return uses

    def short(self, user: str, needed: int) -> Verdict | None:
        """The refusal where tokens are missing."""
        held = self.wallet(user)
        if held >= needed:
            return None
        return rejected(
            "INSUFFICIENT_TOKENS", required=needed, current=held, shortfall=needed - held
        )

    def record_purchase(self, fields: dict[str, Any]) -> Verdict:
        """Tokens for money."""
        paid_at, price = self.happened(fields), fields["price"]
        if (other := self.other_currency(fields)) is not None:
            return foreign(price, other)
        if self.is_taken(fields):
            return suspended("DUPLICATE_PAYMENT", price)
        policy = self.policy(paid_at)
        if policy is None:
            return suspended("NO_POLICY", price)
        package = policy["packages"].get(fields["package"])
        if package is None:
            return suspended("UNKNOWN_PACKAGE", price)
        if package["price"] != price:
            return suspended("PRICE_MISMATCH", price)
        unknown = self.untaxed(policy, fields)
        if unknown is not None:
            return suspended(unknown, price)
        country, rate = self.vat(policy, fields)
        tax = nearest(Fraction(price * rate, 10_000 + rate))
        user, bonus = fields["user"], package.get("bonus", 0)
        promo = 0 if policy.get("bonus_class") == "PAID" else bonus
        tokens = package["tokens"] + bonus - promo
        ends = None
        if bonus and policy.get("promo_expiry_days"):
            ends = self.now + timedelta(days=policy["promo_expiry_days"])
        lapses = None
        if policy.get("breakage_months"):
            lapses = months_later(paid_at, policy["breakage_months"])
        self.lot(user, self.new_id, "PAID", tokens, price - tax, ends=lapses)
        self.supply(user, "PAID", tokens)
        if promo:
            self.lot(user, self.new_id, "PROMO", promo, 0, ends=ends)
            self.supply(user, "PROMO", promo)
        psp = f"psp.{fields['processor']}"
        self.money((psp, price), (f"vat.{country or ''}", -tax), ("deferred", tax - price))
        self.purchases[self.new_id] = {
            "user": user,
            "price": price,
            "tax": tax,
            "country": country,
            "processor": fields["processor"],
            "ref": fields["processor_ref"],
            "refunded": 0,
            "refunded_tax": 0,
            "bonus": promo,
            "unused": 0,
            "deducted": 0,
            "disputes": {},
        }
        self.payment(fields["processor_ref"]).update(
            state="applied", purchase=self.new_id, processor=fields["processor"], amount=price
        )
        return Verdict("accepted", numbers={"tokens": package["tokens"], "tax": tax})

    def grant_promo(self, fields: dict[str, Any]) -> Verdict:
        """Tokens for nothing."""
        policy = self.policy()
        if policy is None:
            return rejected("NO_POLICY")
        if "TOKEN" not in policy["funding"]:
            return rejected("PRODUCT_DISABLED")
        ends = None
        if policy.get("promo_expiry_days"):
            ends = self.now + timedelta(days=policy["promo_expiry_days"])
        if "expires_at" in fields:
            ends = instant(fields["expires_at"])
        if ends is not None and ends <= self.now:
            return rejected("OFFER_EXPIRED")
        self.lot(fields["user"], self.new_id, "PROMO", fields["tokens"], 0, ends=ends)
        self.supply(fields["user"], "PROMO", fields["tokens"])
        return Verdict("accepted", numbers={"tokens": fields["tokens"]})

    def expire_promo(self, fields: dict[str, Any]) -> Verdict:
        """What time has done to tokens that were given."""
        return self._over(fields["user"], "PROMO")

    def lapse_tokens(self, fields: dict[str, Any]) -> Verdict:
        """What time has done to tokens that were bought."""
        return self._over(fields["user"], "PAID")

    def _over(self, user: str, kind: str) -> Verdict:
        if over := self._past(user, kind):
            self.used_until(user, max(lot["ends"] for lot in over))
        for lot in self._past(user, kind):
            self.end(user, lot, self.free(lot))
        return Verdict("accepted") if over else NOTHING

    def used_until(self, user: str, at: datetime) -> None:
        """Whatever the user has used up to then is paid first."""

    def _past(self, user: str, kind: str) -> list[Lot]:
        return [
            lot
            for lot in self.lots[user]
            if lot["kind"] == kind and self.free(lot) and not self.lives(lot)
        ]

    def end(self, user: str, lot: Lot, tokens: int) -> None:
        """Free tokens of a lot end with it."""
        self.unused(lot, tokens)
        released = self.release(lot, tokens)
        self.supply(user, lot["kind"], -tokens)
        self.money(("deferred", released), ("rev.breakage", -released))

    def unused(self, lot: Lot, tokens: int) -> None:
        """Tokens that came with a purchase as a bonus go, and nobody has used them."""
        if lot["kind"] == "PROMO" and lot["purchase"] in self.purchases:
            self.purchases[lot["purchase"]]["unused"] += tokens

    def deferred(self) -> int:
        """What tokens that are not spent were sold for."""
        return sum(
            lot["price"] - lot["price"] * lot["used"] // lot["tokens"]
            for lots in self.lots.values()
            for lot in lots
        )


def months_later(bought: datetime, months: int) -> datetime:
    """The same day so many months later, or the last one of a shorter month."""
    later = bought.year * 12 + bought.month - 1 + months
    day = bought.day
    while True:
        try:
            return bought.replace(year=later // 12, month=later % 12 + 1, day=day)
        except ValueError:
            day -= 1
