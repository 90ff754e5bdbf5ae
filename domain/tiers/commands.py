"""The change of a tier, which nobody asks for: it follows from sales, refunds and time."""

from typing import Annotated

from pydantic import Field

from domain.command import Command, Decision, Given, command
from domain.entity import LoadedStates
from domain.fields import Id, Instant
from domain.policy import Positive
from domain.tiers.tier import TierChanged, ladder_at, tier_held
from domain.wallets.wallet import Wallet

#: A sum of amounts, or a place in the log.
Count = Annotated[int, Field(ge=0, le=10**18)]


@command
class ChangeTier(Command):
    """Bring a user's tier to what the policy's ladder says of the spend within its window.

    The scheduler alone sends it, when a tier is due to change. Nothing happens where the spend
    was read before that of the tier held, or makes the same tier.
    """

    name = "change-tier"
    roles = frozenset({"scheduler"})
    grows = False

    user: Id
    at: Instant = Field(description="Since when the spend is what it is.")
    spend: Count = Field(description="Minor units, within the window that ends with `at`.")
    window_days: Positive = Field(description="The length of that window.")
    as_of_position: Count = Field(description="Up to where the log was read for it.")

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        return (f"wallet:{self.user}",)

    def decide(self, given: Given) -> Decision:
        """The change; nothing for a figure that is old, of another window, or no change."""
        ladder = ladder_at(given.policies, self.at)
        wallet = given.state(Wallet, self.user)
        held = tier_held(wallet)
        tier = ladder.tier(self.spend)
        if self.at > given.now or ladder.window_days != self.window_days:
            return ()
        if wallet.tier is not None and wallet.tier.as_of_position >= self.as_of_position:
            return ()
        if tier == held:
            return ()
        event = TierChanged(
            user=self.user,
            tier=tier,
            former=held,
            at=self.at,
            spend=self.spend,
            window_days=self.window_days,
            as_of_position=self.as_of_position,
        )
        return (event,)
