"""Corrections: what one person proposes and another books, and who may be forgotten."""

from collections import Counter
from datetime import date
from typing import Any

from tests.reference_model.payouts import Payouts
from tests.reference_model.verdicts import ACCEPTED, NOTHING, Verdict, rejected

Legs = list[list[Any]]


class Corrections(Payouts):
    """Adjustments by id; months that are closed."""

    def __init__(self, book: str) -> None:
        super().__init__(book)
        self.adjustments: dict[str, dict[str, Any]] = {}
        self.first_open: str = ""
        self.erased: set[tuple[str, str]] = set()

    def propose_adjustment(self, fields: dict[str, Any]) -> Verdict:
        """One person proposes."""
        legs, on = fields["postings"], fields.get("effective_on")
        sums: Counter[str] = Counter()
        for account, asset, amount in legs:
            tokens = account == "supply" or account.startswith("w.")
            if (asset in self.tokens.values()) != tokens or (not tokens and asset != "USD"):
                return rejected("CURRENCY_MISMATCH")
            sums[asset] += amount
        if any(sums.values()):
            return rejected("UNBALANCED")
        refusal = self._dated(on) or self._adjust(legs, self.new_id, book=False)
        if refusal is not None:
            return refusal
        self.adjustments[self.new_id] = {
            "legs": legs,
            "by": self.actor,
            "state": "proposed",
            "on": on,
        }
        return ACCEPTED

    def approve_adjustment(self, fields: dict[str, Any]) -> Verdict:
        """Another person books it."""
        known = self.adjustments.get(fields["adjustment"])
        if known is None:
            return rejected("UNKNOWN_ADJUSTMENT")
        accounts = (account.split(".") for account, *_ in known["legs"])
        named = {parts[1] for parts in accounts if parts[0] in ("w", "cr", "fan_debt")}
        if self.actor in named | {known["by"]}:
            return rejected("SELF_APPROVAL_FORBIDDEN")
        if known["state"] != "proposed":
            return rejected("INVALID_TRANSITION")
        refusal = self._dated(known["on"])
        refusal = refusal or self._adjust(known["legs"], fields["adjustment"], book=True)
        if refusal is not None:
            return refusal
        known["state"] = "approved"
        return ACCEPTED

    def reject_adjustment(self, fields: dict[str, Any]) -> Verdict:
        """Another person does not agree."""
        known = self.adjustments.get(fields["adjustment"])
        if known is None:
            return rejected("UNKNOWN_ADJUSTMENT")
        if known["state"] != "proposed":
            return rejected("INVALID_TRANSITION")
        known["state"] = "rejected"
        return ACCEPTED

    def approve_proposal(self, _: dict[str, Any]) -> Verdict:
        """No policy of these books asks for two people, so nothing is ever proposed."""
        return rejected("UNKNOWN_PROPOSAL")

    def reject_proposal(self, _: dict[str, Any]) -> Verdict:
        """Nor rejected."""
        return rejected("UNKNOWN_PROPOSAL")

    def _dated(self, on: str | None) -> Verdict | None:
        if on is not None and date.fromisoformat(on) > self.now.date():
            return rejected("CLOCK_SKEW")
        if on is not None and on < self.first_open:
            return rejected("PERIOD_CLOSED")
        return None

    def _adjust(self, legs: Legs, name: str, *, book: bool) -> Verdict | None:
        """Tokens taken release their price; tokens given take over what is left of it."""
        sums: Counter[tuple[str, str]] = Counter()
        for account, asset, amount in legs:
            sums[account, asset] += amount
        whose = {a.split(".")[1] for a, *_ in legs if a.startswith(("w.", "fan_debt."))}
        left, taking = -sums["deferred", "USD"], []
        for user in sorted(whose):
            for kind in ("PROMO", "PAID"):
                wanted = max(0, sums[f"w.{user}.free", self.tokens[kind]])
                uses = self.taken(user, wanted, (kind,))
                if (current := sum(use["tokens"] for use in uses)) < wanted:
                    return rejected("INSUFFICIENT_TOKENS", required=wanted)
                taking += uses if current else []
        left += sum(self._released(use) for use in taking)
        given = {user: -sums[f"w.{user}.free", self.tokens["PAID"]] for user in sorted(whose)}
        given = {user: tokens for user, tokens in given.items() if tokens > 0}
        if left < 0 or (left and not given):
            return rejected("UNBALANCED", difference=-left)
        if not book:
            return None
        for use in taking:
            self.release(use["lot"], use["tokens"])
        for account, asset, amount in legs:
            self.accounts[account, asset] += amount
        before, whole, expense = 0, sum(given.values()), sums["exp.baddebt", "USD"]
        for nth, user in enumerate(sorted(whose)):
            expense -= self.settle(user, -sums[f"fan_debt.{user}", "USD"], expense)
            tokens, place = given.get(user, 0), (f"{name}p{nth}", "", 0)
            part = left * (before + tokens) // whole - left * before // whole if tokens else 0
            before += tokens
            if tokens:
                self.lot(user, name, "PAID", tokens, part, place=place)
            promo = -sums[f"w.{user}.free", self.tokens["PROMO"]]
            if promo > 0:
                place = (f"{name}b{nth}", "", 0)
                self.lot(user, name, "PROMO", promo, 0, place=place)
        return None

    def _released(self, use: dict[str, Any]) -> int:
        lot = dict(use["lot"])
        return self.release(lot, use["tokens"])

    def close_period(self, fields: dict[str, Any]) -> Verdict:
        """A month is over for good."""
        year, month = map(int, fields["period"].split("-"))
        following = f"{year + month // 12}-{month % 12 + 1:02d}-01"
        if self.first_open and following <= self.first_open:
            return rejected("PERIOD_CLOSED")
        turn = not self.first_open or self.first_open[:7] == fields["period"]
        if following > str(self.now.date()) or not turn:
            return rejected("INVALID_TRANSITION")
        self.first_open = following
        return ACCEPTED

    def erase_subject(self, fields: dict[str, Any]) -> Verdict:
        """Nobody is forgotten who has anything here."""
        subject, kind = fields["subject"], fields["kind"]
        has = self._wallet_has if kind == "wallet" else self._creator_has
        if has(subject):
            return rejected("ACCOUNT_HAS_BALANCE")
        if (kind, subject) in self.erased:
            return NOTHING
        self.erased.add((kind, subject))
        return ACCEPTED

    def _wallet_has(self, user: str) -> bool:
        tokens = any(lot["used"] < lot["tokens"] for lot in self.lots[user])
        subscribed = any(
            one["user"] == user and one["ended"] is None for one in self.subscriptions.values()
        )
        return tokens or bool(self.debts[user]) or user in self.in_call or subscribed

    def _creator_has(self, creator: str) -> bool:
        buckets = ("available", "reserved", "payout")
        owed = any(self.accounts[f"cr.{creator}.{bucket}", "USD"] for bucket in buckets)
        pending = any(one["has"] for _, one in self.earnings(creator) if one["bucket"] == "pending")
        return owed or pending or bool(self.creators[creator]["payout"])
