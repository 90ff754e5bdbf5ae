"""A creator: what the platform owes, by bucket, and what the creator may not do at present.

Earnings that are not mature yet are held as one sum per hour in which they mature. What is due is
counted by its time, whether or not a scheduler has already moved it: `matured_through` is only
the watermark up to which it was posted.
"""

from datetime import datetime

import msgspec

from domain.entity import State, entity
from domain.event import Event

AVAILABLE = "available"
PENDING = "pending"
RESERVED = "reserved"
PAYOUT = "payout"

Maturing = tuple[tuple[datetime, int], ...]
"""(when it matures, minor units), in the order of time."""


@entity
class Creator(State, frozen=True, kw_only=True, omit_defaults=True, array_like=True):
    """One creator's balances in minor units, and the scopes in which they are frozen."""

    KIND = "creator"

    available: int = 0
    reserved: int = 0
    in_payout: int = 0
    maturing: Maturing = ()
    matured_through: datetime | None = None
    frozen: tuple[str, ...] = ()

    @property
    def pending(self) -> int:
        """Earned and not posted as mature."""
        return sum(amount for _, amount in self.maturing)

    def due(self, now: datetime) -> int:
        """What of `pending` is mature at `now`."""
        return sum(amount for at, amount in self.maturing if at <= now)

    def earned(self, share: int, bucket: str, mature_at: datetime | None = None) -> "Creator":
        """The creator after earning `share` into `bucket`; a negative share is a clawback."""
        if bucket == AVAILABLE:
            return msgspec.structs.replace(self, available=self.available + share)
        if bucket == PENDING:
            assert mature_at is not None
            return msgspec.structs.replace(self, maturing=_added(self.maturing, mature_at, share))
        return msgspec.structs.replace(self, reserved=self.reserved + share)

    def apply(self, key: str, event: Event) -> "Creator":
        """The creator after `event`: every event with creators among its parties says how."""
        assert isinstance(event, CreatorEvent)
        return event.in_creator(self, key[8:])


def _added(maturing: Maturing, mature_at: datetime, amount: int) -> Maturing:
    """One more amount in its hour."""
    if maturing and maturing[-1][0] == mature_at:
        return (*maturing[:-1], (mature_at, maturing[-1][1] + amount))
    sums = dict(maturing)
    sums[mature_at] = sums.get(mature_at, 0) + amount
    return tuple(sorted((at, total) for at, total in sums.items() if total))


class CreatorEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An event that changes a creator."""

    def in_creator(self, creator: Creator, creator_id: str) -> Creator:
        """The creator called `creator_id` after this event."""
        raise NotImplementedError(type(self).__name__)
