"""Maturity and escrow: when a creator's earnings become available.

Both post a watermark, not a list of sales: what is due up to `through` moves in one event. A
scheduler does it, but nothing depends on its being on time: a payout counts what is due anyway.
"""

from datetime import datetime

import msgspec

from domain import accounts
from domain.accounts import Assets, Posting
from domain.agenda import AGENDA, AgendaEvent, AgendaItem, maturing
from domain.command import Command, Decision, Given, command
from domain.creators.creator import Bucket, Creator, CreatorEvent, Maturing
from domain.entity import LoadedStates
from domain.event import stored_as
from domain.fields import FreezeScope, Id
from domain.rejections import CREATOR_FROZEN, reject


class EarningsMoved(CreatorEvent, frozen=True, kw_only=True):
    """Earnings due up to and including `through`, `amount` minor units, become available."""

    creator: str
    through: datetime
    amount: int

    def tags(self) -> tuple[str, ...]:
        return (f"creator:{self.creator}",)

    def legs(self, source: str, assets: Assets) -> tuple[Posting, ...]:
        """From `source` to what is available."""
        return (
            (accounts.creator(self.creator, source), assets.currency, self.amount),
            (accounts.creator(self.creator, Bucket.AVAILABLE), assets.currency, -self.amount),
        )


@stored_as("earnings.matured.v1")
class EarningsMatured(EarningsMoved, frozen=True):
    """Earnings that mature up to `through`, net of clawbacks."""

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`cr.pending -> cr.available`."""
        return self.legs(Bucket.PENDING, assets)

    def in_creator(self, creator: Creator, creator_id: str) -> Creator:
        """The watermark moves; what is below it is available."""
        return msgspec.structs.replace(
            creator,
            available=creator.available + self.amount,
            maturing=tuple(hour for hour in creator.maturing if hour[0] > self.through),
            matured_through=self.through,
        )


@stored_as("escrow.released.v1")
class EscrowReleased(EarningsMoved, AgendaEvent, frozen=True, kw_only=True):
    """Earnings that were put into escrow up to `through`.

    `pending` names what of `amount` has not matured, by hour. Releases of before (None) made all
    of it available, whenever it matured.
    """

    pending: Maturing | None = None

    @property
    def immature(self) -> int:
        """What of it has to wait."""
        return sum(amount for _, amount in self.pending or ())

    def tags(self) -> tuple[str, ...]:
        """The creator, and the agenda where something matures later."""
        return (*super().tags(), AGENDA) if self.pending else super().tags()

    def agenda_items(self) -> tuple[AgendaItem, ...]:
        """The hours in which it matures."""
        return tuple(maturing(self.creator, at) for at, _ in self.pending or ())

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`cr.reserved -> cr.available + cr.pending`."""
        account, asset = accounts.creator(self.creator, Bucket.PENDING), assets.currency
        reserved, (available, _, _) = self.legs(Bucket.RESERVED, assets)
        return (
            reserved,
            (available, asset, self.immature - self.amount),
            (account, asset, -self.immature),
        )

    def in_creator(self, creator: Creator, creator_id: str) -> Creator:
        """Nothing is in escrow; what disputes hold back stays reserved."""
        released = msgspec.structs.replace(
            creator,
            available=creator.available + self.amount - self.immature,
            reserved=creator.reserved - self.amount,
            escrowed=creator.escrowed - self.amount,
            escrow_released_through=self.through,
            escrow_maturing=(),
        )
        if self.pending is None:
            return msgspec.structs.replace(released, escrow_shortened_through=self.through)
        for at, amount in self.pending:
            released = released.earned(amount, Bucket.PENDING, at)
        return msgspec.structs.replace(released, matured_through=self.through)


def matured(creator: Creator, creator_id: str, now: datetime) -> tuple[EarningsMatured, ...]:
    """The posting of what is due at `now`; nothing where no hour of earnings has come."""
    if not any(at <= now for at, _ in creator.maturing):
        return ()
    return (EarningsMatured(creator=creator_id, through=now, amount=creator.due(now)),)


class EarningsCommand(Command):
    """A command on one creator's earnings."""

    roles = frozenset({"service", "finance"})

    creator: Id

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        return (f"creator:{self.creator}",)


@command
class MatureEarnings(EarningsCommand):
    """Post a creator's matured earnings; nothing happens where nothing is due."""

    name = "mature-earnings"

    def decide(self, given: Given) -> Decision:
        """All that is due."""
        return matured(given.state(Creator, self.creator), self.creator, given.now)


@command
class ReleaseEscrow(EarningsCommand):
    """Release what a creator earned while frozen, once the freeze is lifted."""

    name = "release-escrow"

    def decide(self, given: Given) -> Decision:
        """All that is in escrow, after all that is due, for both have one watermark then."""
        creator = given.state(Creator, self.creator)
        if FreezeScope.EARN in creator.frozen:
            return reject(CREATOR_FROZEN, creator=self.creator, scope=FreezeScope.EARN)
        if not creator.escrowed:
            return ()
        released = EscrowReleased(
            creator=self.creator,
            through=given.now,
            amount=creator.escrowed,
            pending=tuple(hour for hour in creator.escrow_maturing if hour[0] > given.now),
        )
        return (*matured(creator, self.creator, given.now), released)
