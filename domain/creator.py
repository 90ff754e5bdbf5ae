"""A creator: what the platform owes, by bucket, and what the creator may not do at present."""

import msgspec

from domain.entity import State, entity
from domain.event import Event

AVAILABLE = "available"
PENDING = "pending"
RESERVED = "reserved"


@entity
class Creator(State, frozen=True, kw_only=True, omit_defaults=True, array_like=True):
    """One creator's balances in minor units, and the scopes in which they are frozen."""

    KIND = "creator"

    available: int = 0
    pending: int = 0
    reserved: int = 0
    frozen: tuple[str, ...] = ()

    def earned(self, share: int, bucket: str) -> "Creator":
        """The creator after earning `share` into `bucket`."""
        if bucket == AVAILABLE:
            return msgspec.structs.replace(self, available=self.available + share)
        if bucket == PENDING:
            return msgspec.structs.replace(self, pending=self.pending + share)
        return msgspec.structs.replace(self, reserved=self.reserved + share)

    def apply(self, key: str, event: Event) -> "Creator":
        """The creator after `event`: every event with creators among its parties says how."""
        assert isinstance(event, CreatorEvent)
        return event.in_creator(self, key[8:])


class CreatorEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An event that changes a creator."""

    def in_creator(self, creator: Creator, creator_id: str) -> Creator:
        """The creator called `creator_id` after this event."""
        raise NotImplementedError(type(self).__name__)
