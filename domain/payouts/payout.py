"""Payouts: what happened to money on its way from the platform to a creator.

Amounts are fixed when the payout is requested, so what is booked when it is paid depends on no
policy of that later day.
"""

from datetime import date, datetime
from enum import StrEnum

import msgspec

from domain import accounts
from domain.accounts import Assets, Posting
from domain.creators.creator import Bucket, Creator, CreatorEvent, OpenPayout
from domain.entity import State, entity
from domain.event import Event, stored_as
from domain.transitions import Transitions


class PayoutStatus(StrEnum):
    """Where a payout is on its way."""

    REQUESTED = "requested"
    APPROVED = "approved"
    SUBMITTED = "submitted"
    PAID = "paid"
    REJECTED = "rejected"
    FAILED = "failed"
    RETURNED = "returned"


TRANSITIONS: Transitions[PayoutStatus] = {
    (None, "request-payout"): PayoutStatus.REQUESTED,
    (PayoutStatus.REQUESTED, "approve-payout"): PayoutStatus.APPROVED,
    (PayoutStatus.REQUESTED, "reject-payout"): PayoutStatus.REJECTED,
    (PayoutStatus.APPROVED, "submit-payout"): PayoutStatus.SUBMITTED,
    (PayoutStatus.APPROVED, "reject-payout"): PayoutStatus.REJECTED,
    (PayoutStatus.SUBMITTED, "confirm-payout"): PayoutStatus.PAID,
    (PayoutStatus.SUBMITTED, "fail-payout"): PayoutStatus.FAILED,
    (PayoutStatus.PAID, "return-payout"): PayoutStatus.RETURNED,
}


@entity
class Payout(State, frozen=True, kw_only=True):
    """One payout; `status` is None where there is none. Amounts in minor units."""

    KIND = "payout"
    CACHED = False

    status: PayoutStatus | None = None
    creator: str = ""
    requester: str = ""
    gross: int = 0
    fee: int = 0
    withheld: int = 0
    net: int = 0
    country: str | None = None
    sender: str | None = None

    def apply(self, key: str, event: Event) -> "Payout":
        """The payout after `event`: every event in its life says how."""
        assert isinstance(event, PayoutEvent)
        return event.in_payout(self)


class PayoutEvent(CreatorEvent, frozen=True, kw_only=True):
    """An event in the life of a payout."""

    payout_id: str
    creator: str

    def tags(self) -> tuple[str, ...]:
        return f"payout:{self.payout_id}", f"creator:{self.creator}"

    def in_payout(self, payout: Payout) -> Payout:
        """The payout after this event."""
        raise NotImplementedError(type(self).__name__)

    def in_creator(self, creator: Creator, creator_id: str) -> Creator:
        """Unless the event says otherwise, the creator is as before."""
        return creator


@stored_as("payout.requested.v1")
class PayoutRequested(PayoutEvent, frozen=True, kw_only=True):
    """`gross` leaves what is available; `net` is what the creator will get.

    gross = fee + withheld + net. `scheduled_for`: the run of the payout schedule, if it was one.
    """

    gross: int
    fee: int
    withheld: int
    net: int
    instant: bool
    requester: str
    country: str | None = None
    scheduled_for: date | None = None
    #: Who sent the request on the requester's behalf, if somebody did.
    sender: str | None = None

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`cr.available -> cr.payout`."""
        return _moved(self.creator, self.gross, assets, Bucket.AVAILABLE, Bucket.PAYOUT)

    def in_payout(self, payout: Payout) -> Payout:
        return Payout(
            status=PayoutStatus.REQUESTED,
            creator=self.creator,
            requester=self.requester,
            gross=self.gross,
            fee=self.fee,
            withheld=self.withheld,
            net=self.net,
            country=self.country,
            sender=self.sender,
        )

    def in_creator(self, creator: Creator, creator_id: str) -> Creator:
        """It is the creator's open payout."""
        return msgspec.structs.replace(
            creator,
            available=creator.available - self.gross,
            in_payout=creator.in_payout + self.gross,
            payout=OpenPayout(self.payout_id, self.gross),
            scheduled_through=self.scheduled_for or creator.scheduled_through,
        )


@stored_as("payout.approved.v1")
class PayoutApproved(PayoutEvent, frozen=True, kw_only=True):
    """Somebody other than the requester agreed."""

    approver: str

    def in_payout(self, payout: Payout) -> Payout:
        """It may be submitted."""
        return msgspec.structs.replace(payout, status=PayoutStatus.APPROVED)


@stored_as("payout.submitted.v1")
class PayoutSubmitted(PayoutEvent, frozen=True, kw_only=True):
    """The processor has it; from here on only the processor's outcome counts."""

    processor: str
    processor_ref: str

    def in_payout(self, payout: Payout) -> Payout:
        """Its outcome is the processor's."""
        return msgspec.structs.replace(payout, status=PayoutStatus.SUBMITTED)

    def in_creator(self, creator: Creator, creator_id: str) -> Creator:
        """The open payout can no longer be cancelled."""
        submitted = OpenPayout(self.payout_id, creator.in_payout, submitted=True)
        return msgspec.structs.replace(creator, payout=submitted)


class PayoutUndone(PayoutEvent, frozen=True, kw_only=True):
    """The money was never paid: all of it is available again, without a fee."""

    gross: int
    reason: str

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`cr.payout -> cr.available`."""
        return _moved(self.creator, self.gross, assets, Bucket.PAYOUT, Bucket.AVAILABLE)

    def in_creator(self, creator: Creator, creator_id: str) -> Creator:
        """Nothing is on its way any more."""
        return msgspec.structs.replace(
            creator,
            available=creator.available + self.gross,
            in_payout=creator.in_payout - self.gross,
            payout=None,
        )


@stored_as("payout.rejected.v1")
class PayoutRejected(PayoutUndone, frozen=True):
    """A person rejected it, or the creator's balance fell below zero."""

    def in_payout(self, payout: Payout) -> Payout:
        return msgspec.structs.replace(payout, status=PayoutStatus.REJECTED)


@stored_as("payout.failed.v1")
class PayoutFailed(PayoutUndone, frozen=True):
    """The processor could not pay."""

    def in_payout(self, payout: Payout) -> Payout:
        return msgspec.structs.replace(payout, status=PayoutStatus.FAILED)


class PayoutSettled(PayoutEvent, frozen=True, kw_only=True):
    """What a payment and its return book: the net by bank, the fee, the tax withheld."""

    at: datetime
    gross: int
    fee: int
    withheld: int
    net: int
    country: str | None = None

    def legs(self, bucket: str, assets: Assets) -> tuple[Posting, ...]:
        """`bucket -> bank + rev.fee + withheld`."""
        money = assets.currency
        return (
            (accounts.creator(self.creator, bucket), money, self.gross),
            (accounts.BANK, money, -self.net),
            (accounts.FEE_REVENUE, money, -self.fee),
            (accounts.withheld(self.country or ""), money, -self.withheld),
        )


@stored_as("payout.paid.v1")
class PayoutPaid(PayoutSettled, frozen=True):
    """The money arrived."""

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`cr.payout -> bank + rev.fee + withheld`."""
        return self.legs(Bucket.PAYOUT, assets)

    def in_payout(self, payout: Payout) -> Payout:
        """Paid, unless it comes back."""
        return msgspec.structs.replace(payout, status=PayoutStatus.PAID)

    def in_creator(self, creator: Creator, creator_id: str) -> Creator:
        """Nothing is on its way any more."""
        return msgspec.structs.replace(
            creator, in_payout=creator.in_payout - self.gross, payout=None
        )


@stored_as("payout.returned.v1")
class PayoutReturned(PayoutSettled, frozen=True, kw_only=True):
    """The money came back after it had been paid: fee and withholding are undone as well."""

    reason: str

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`bank + rev.fee + withheld -> cr.available`."""
        return tuple(
            (account, asset, -amount)
            for account, asset, amount in self.legs(Bucket.AVAILABLE, assets)
        )

    def in_payout(self, payout: Payout) -> Payout:
        return msgspec.structs.replace(payout, status=PayoutStatus.RETURNED)

    def in_creator(self, creator: Creator, creator_id: str) -> Creator:
        """All of it is available again."""
        return msgspec.structs.replace(creator, available=creator.available + self.gross)


def cancelled_by(creator: Creator, creator_id: str, new_available: int) -> tuple[Event, ...]:
    """The end of an open payout when refund, dispute or adjustment takes `available` below zero.

    A payout that the processor has already is not cancelled; the balance stays negative then.
    """
    payout = creator.payout
    if new_available >= 0 or payout is None or payout.submitted:
        return ()
    cancelled = PayoutRejected(
        payout_id=payout.payout, creator=creator_id, gross=payout.gross, reason="NEGATIVE_BALANCE"
    )
    return (cancelled,)


def _moved(
    creator: str, amount: int, assets: Assets, source: str, target: str
) -> tuple[Posting, ...]:
    """From one of the creator's buckets to another."""
    return (
        (accounts.creator(creator, source), assets.currency, amount),
        (accounts.creator(creator, target), assets.currency, -amount),
    )
