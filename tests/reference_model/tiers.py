"""Tiers in the auditor's eyes: what somebody spent is the sum of the sales themselves."""

from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from tests.reference_model.books import instant
from tests.reference_model.earnings import Sale
from tests.reference_model.settlements import Settlements
from tests.reference_model.verdicts import NOTHING, Verdict, nearest


class Tiers(Settlements):
    """Who is in which tier, and up to where the log was read for it."""

    def __init__(self, book: str) -> None:
        super().__init__(book)
        self._read_to: dict[str, int] = {}

    def change_tier(self, fields: dict[str, Any]) -> Verdict:
        """Somebody has read what a user spent up to a moment."""
        at, user = instant(fields["at"]), fields["user"]
        position = fields["as_of_position"]
        if at > self.now or fields["window_days"] != self.window_days(at):
            return NOTHING
        tier = self.tier_of(fields["spend"], at)
        if position <= self._read_to.get(user, -1) or tier == self.tiers[user]:
            return NOTHING
        numbers = {"former": self.tiers[user], "tier": tier}
        self.tiers[user], self._read_to[user] = tier, position
        return Verdict("accepted", numbers=numbers)

    def window_days(self, at: datetime) -> int:
        """How long a sale counts."""
        days: int = (self.policy(at) or {}).get("tier_window_days", 30)
        return days

    def tier_of(self, spend: int, at: datetime) -> str:
        """The highest step that is reached, by the ladder of the time."""
        steps = (self.policy(at) or {}).get("tier_ladder", [])
        reached = [step for step in steps if step["min"] <= spend]
        return max(reached, key=lambda step: step["min"])["tier"] if reached else "NEW"

    def tier_at(self, user: str, at: datetime) -> str:
        """Where a user belongs by all that is known now."""
        return self.tier_of(self.spend(user, at), at)

    def spend(self, user: str, at: datetime) -> int:
        """What the sales of the window have left."""
        since = at - timedelta(days=self.window_days(at))
        mine = (sale for sale in self.sales.values() if sale["buyer"] == user)
        return sum(self.costs(sale) for sale in mine if since < sale["at"] <= at)

    def costs(self, sale: Sale) -> int:
        """What a sale costs its buyer by now."""
        left: int = sale["paid"] - sale["refunded"]
        if sale["funding"] == "CARD":
            return max(0, left - self.lost(sale) - self.bounced(sale))
        worth: int = left * sale["unit"]
        charged = sum(sum(one["charged"].values()) for one in sale["earnings"])
        if not charged:
            return worth
        owned = sum(one["share"] - one["clawed"] for one in sale["earnings"]) - charged
        left_over: int = nearest(Fraction(worth * owned, owned + charged))
        return left_over
