"""A tier: the highest step of the policy's ladder that a user's spend reaches.

Spend counts within a rolling window, so a tier also falls when nothing happens but time. The event
says since when the tier holds and up to where the log was read for it; what happened later, or
became known later, makes the next event.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from domain.event import stored_as
from domain.policy import Policy, PolicyVersion, in_force
from domain.wallets.wallet import FanTier, Wallet, WalletEvent

#: Of whoever reaches no step of the ladder, and of whoever was never seen.
NEW = "NEW"
#: The tag of all changes of tiers, and how those begin that are about one user.
TIERS = "tiers:book"
TIER = "tier:"


class Ladder(msgspec.Struct, frozen=True):
    """A policy's tiers: the least spend of each in minor units, the highest first, and how many
    days back a sale counts."""

    window_days: int = 30
    steps: tuple[tuple[str, int], ...] = ()

    @property
    def window(self) -> timedelta:
        """A sale counts until it is that old."""
        return timedelta(days=self.window_days)

    def tier(self, spend: int) -> str:
        """The tier of somebody who spent so much within the window."""
        for tier, least in self.steps:
            if spend >= least:
                return tier
        return NEW

    def least(self, tier: str) -> int:
        """The least spend of a tier; 0 for one that nobody falls from."""
        return min((least for name, least in self.steps if name == tier), default=0)


def ladder_of(policy: Policy | None) -> Ladder:
    """The ladder of a policy; without one, everybody is NEW."""
    if policy is None:
        return Ladder()
    steps = tuple((step.tier, step.min) for step in policy.tier_ladder)
    return Ladder(policy.tier_window_days, steps)


def ladder_at(versions: Sequence[PolicyVersion], at: datetime) -> Ladder:
    """The ladder in force at `at`."""
    found = in_force(versions, at)
    return ladder_of(None if found is None else found.policy)


def tier_held(wallet: Wallet) -> str:
    """The tier of the last event of the wallet's user; NEW before the first."""
    return NEW if wallet.tier is None else wallet.tier.tier


@stored_as("tier.changed.v1")
class TierChanged(WalletEvent, frozen=True, kw_only=True):
    """Since `at` a user is in another tier, for having spent `spend` minor units in the window.

    The spend is that of sales in the `window_days` days up to `at`, net of what went back, as the
    log tells it up to `as_of_position`.
    """

    user: str
    tier: str
    former: str
    at: datetime
    spend: int
    window_days: int
    as_of_position: int

    def tags(self) -> tuple[str, ...]:
        """The wallet; the changes of this user, and of all."""
        return f"wallet:{self.user}", f"{TIER}{self.user}", TIERS

    def in_wallet(self, wallet: Wallet, user: str) -> Wallet:
        """No tokens move; the user is in the tier."""
        held = FanTier(self.tier, self.at, self.as_of_position)
        return msgspec.structs.replace(wallet, tier=held)
