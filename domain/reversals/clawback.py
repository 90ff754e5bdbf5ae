"""Clawbacks: what is taken from creators' balances when a sale is undone, and what is held back.

Every event that undoes sales carries its clawbacks, each with the bucket it hits: where the sale's
earnings stood when it was decided.
"""

from collections import Counter
from datetime import datetime

import msgspec

from domain import accounts
from domain.accounts import Assets, Posting
from domain.agenda import AgendaItem, maturing
from domain.command import Given
from domain.creators.creator import Bucket, Creator, CreatorEvent
from domain.event import Event
from domain.payouts.payout import cancelled_by


class Clawback(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """`share` is taken from a creator for good; `reserved` moves from the bucket to the reserve.

    Negative ones go the other way. `mature_at` is that of the sale, if it has one.
    """

    creator: str
    share: int = 0
    reserved: int = 0
    bucket: str = Bucket.AVAILABLE
    mature_at: datetime | None = None
    sale_id: str | None = None


class Reversal(CreatorEvent, frozen=True, kw_only=True):
    """An event that undoes sales, in part or whole, or gets ready to."""

    shares: tuple[Clawback, ...] = ()
    #: The account of the platform's part of a sale by card, where it is not commission.
    income: str | None = None

    @property
    def platform_account(self) -> str:
        """Where the platform gives back its part of a sale by card."""
        return self.income or accounts.COMMISSION_REVENUE

    @property
    def creators_part(self) -> int:
        """What all creators lose by it."""
        return sum(claw.share for claw in self.shares)

    def creator_tags(self) -> tuple[str, ...]:
        """The creators it touches, each once."""
        return tuple(dict.fromkeys(f"creator:{claw.creator}" for claw in self.shares))

    def creator_legs(self, assets: Assets) -> tuple[Posting, ...]:
        """One leg for each creator's bucket that changes."""
        legs: Counter[str] = Counter()
        for claw in self.shares:
            legs[accounts.creator(claw.creator, claw.bucket)] += claw.share + claw.reserved
            legs[accounts.creator(claw.creator, Bucket.RESERVED)] -= claw.reserved
        return tuple((account, assets.currency, amount) for account, amount in legs.items())

    def maturing_again(self) -> tuple[AgendaItem, ...]:
        """The hours in which earnings mature that it gives back."""
        return tuple(
            maturing(claw.creator, claw.mature_at)
            for claw in self.shares
            if claw.bucket == Bucket.PENDING
            and claw.mature_at is not None
            and claw.share + claw.reserved < 0
        )

    def in_creator(self, creator: Creator, creator_id: str) -> Creator:
        """The bucket pays; what is held back for a dispute is no escrow."""
        for claw in self.shares:
            if claw.creator == creator_id:
                creator = creator.earned(-claw.share, claw.bucket, claw.mature_at)
                creator = creator.held_back(claw.reserved, claw.bucket, claw.mature_at)
        return creator


def with_cancelled_payouts(given: Given, events: tuple[Event, ...]) -> tuple[Event, ...]:
    """`events`, then a `PayoutRejected` for each unsubmitted payout of a creator whose available
    balance they make negative.
    """
    after: dict[str, Creator] = {}
    for event in events:
        if isinstance(event, Reversal):
            for tag in event.creator_tags():
                creator_id = tag.partition(":")[2]
                creator = after.get(creator_id) or given.state(Creator, creator_id)
                after[creator_id] = event.in_creator(creator, creator_id)
    cancelled = [
        end
        for creator_id, creator in after.items()
        for end in cancelled_by(creator, creator_id, creator.available)
    ]
    return (*events, *cancelled)
