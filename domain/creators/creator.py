"""A creator: what the platform owes, by bucket, and what the creator may not do at present.

Earnings that are not mature yet are held as one sum per hour in which they mature. What is due is
counted by its time, whether or not a scheduler has already moved it: `matured_through` is only
the watermark up to which it was posted. Escrowed earnings work alike, with a watermark of their
own, and keep the hours in which they mature; what a dispute holds back stands in the same bucket,
but no release of escrow touches it.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar

import msgspec

from domain.entity import State, entity
from domain.event import Event


class Bucket(StrEnum):
    """Where money owed to a creator stands."""

    AVAILABLE = "available"
    PENDING = "pending"
    RESERVED = "reserved"
    PAYOUT = "payout"


AVAILABLE, PENDING, RESERVED, PAYOUT = Bucket

#: (when it matures, minor units), in the order of time.
Maturing = tuple[tuple[datetime, int], ...]


class OpenPayout(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The payout on its way; `submitted` once the processor has it."""

    payout: str
    gross: int
    submitted: bool = False


@entity
class Creator(State, frozen=True, kw_only=True):
    """One creator's balances in minor units, and the scopes in which they are frozen."""

    KIND = "creator"
    FOLD_VERSION = 3
    LISTS: ClassVar = {"calls": 1_000}

    available: int = 0
    reserved: int = 0
    in_payout: int = 0
    maturing: Maturing = ()
    matured_through: datetime | None = None
    frozen: tuple[str, ...] = ()
    verified: bool = False
    payouts_enabled: bool = False
    country: str | None = None
    payout: OpenPayout | None = None
    #: The part of `reserved` that waits for the end of a freeze.
    escrowed: int = 0
    escrow_released_through: datetime | None = None
    #: The last scheduled payout run that this creator took part in.
    scheduled_through: date | None = None
    #: When the earnings in escrow mature, as far as they are not mature from the start.
    escrow_maturing: Maturing = ()
    #: Until here releases of escrow made everything available, mature or not.
    escrow_shortened_through: datetime | None = None
    #: The calls that this creator is in.
    calls: tuple[str, ...] = ()
    #: Whether the creator left: requests that name this id are refused for ever.
    erased: bool = False

    @property
    def pending(self) -> int:
        """Earned and not posted as mature."""
        return sum(amount for _, amount in self.maturing)

    @property
    def owed(self) -> bool:
        """Whether any bucket holds anything, or less than nothing."""
        return bool(self.available or self.reserved or self.in_payout or self.maturing)

    def first_at(self, mature_at: datetime | None) -> bool:
        """Whether nothing else matures at `mature_at` yet."""
        return mature_at is not None and all(at != mature_at for at, _ in self.maturing)

    def due(self, now: datetime) -> int:
        """What of `pending` is mature at `now`."""
        return sum(amount for at, amount in self.maturing if at <= now)

    def bucket(self, escrowed_at: datetime | None, mature_at: datetime | None) -> Bucket:
        """Where the earnings of a sale stand now, unless a dispute holds them back."""
        if escrowed_at is not None:
            if _after(escrowed_at, self.escrow_released_through):
                return RESERVED
            if not _after(escrowed_at, self.escrow_shortened_through):
                return AVAILABLE
        if mature_at is not None:
            return PENDING if _after(mature_at, self.matured_through) else AVAILABLE
        return AVAILABLE

    def earned(self, share: int, bucket: str, mature_at: datetime | None = None) -> "Creator":
        """The creator after earning `share` into `bucket`; a negative share is a clawback."""
        if bucket == AVAILABLE:
            return msgspec.structs.replace(self, available=self.available + share)
        if bucket == PENDING:
            assert mature_at is not None
            return msgspec.structs.replace(self, maturing=_added(self.maturing, mature_at, share))
        hours = self.escrow_maturing
        return msgspec.structs.replace(
            self,
            reserved=self.reserved + share,
            escrowed=self.escrowed + share,
            escrow_maturing=hours if mature_at is None else _added(hours, mature_at, share),
        )

    def held_back(self, amount: int, bucket: str, mature_at: datetime | None = None) -> "Creator":
        """A dispute moves `amount` from the bucket of its sale to the reserve.

        A negative amount goes back to the bucket where the sale stands by then.
        """
        moved = self.earned(-amount, bucket, mature_at)
        return msgspec.structs.replace(moved, reserved=moved.reserved + amount)

    def forfeited(self, amount: int) -> "Creator":
        """A lost dispute takes `amount` out of the reserve."""
        return msgspec.structs.replace(self, reserved=self.reserved - amount)

    def apply(self, key: str, event: Any) -> "Creator":
        """The creator after `event`: every event with creators among its parties says how."""
        after: Creator = event.in_creator(self, key[8:])
        return after


def _after(moment: datetime, watermark: datetime | None) -> bool:
    """Whether `moment` lies above a watermark, if there is one yet."""
    return watermark is None or moment > watermark


def _added(maturing: Maturing, mature_at: datetime, amount: int) -> Maturing:
    """One more amount in its hour."""
    if maturing and maturing[-1][0] == mature_at:
        total = maturing[-1][1] + amount
        return (*maturing[:-1], (mature_at, total)) if total else maturing[:-1]
    sums = dict(maturing)
    sums[mature_at] = sums.get(mature_at, 0) + amount
    return tuple(sorted((at, total) for at, total in sums.items() if total))


class CreatorEvent(Event, frozen=True):
    """An event that changes a creator."""

    def in_creator(self, creator: Creator, creator_id: str) -> Creator:
        """The creator called `creator_id` after this event."""
        raise NotImplementedError(type(self).__name__)
