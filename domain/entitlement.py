"""An entitlement: one user's right to one item, given by the sale that paid for it."""

from datetime import datetime

from domain.entity import State, entity
from domain.event import Event


def entitlement_key(user: str, item: str) -> str:
    """The tag of `user`'s entitlement to `item`."""
    return f"entitlement:{user}:{item}"


@entity
class Entitlement(State, frozen=True, kw_only=True, omit_defaults=True, array_like=True):
    """The sale that entitles, if any, and until when (exclusive)."""

    KIND = "entitlement"
    CACHED = False

    sale_id: str | None = None
    valid_until: datetime | None = None

    def live(self, now: datetime) -> bool:
        """Whether it entitles at `now`."""
        return self.sale_id is not None and (self.valid_until is None or now < self.valid_until)

    def apply(self, key: str, event: Event) -> "Entitlement":
        """The entitlement after `event`: every event that grants or ends one says how."""
        assert isinstance(event, EntitlementEvent)
        return event.in_entitlement(self)


def ended(
    entitlement: Entitlement, sale_id: str | None, access_until: datetime | None
) -> Entitlement:
    """The entitlement once `sale_id` was undone, unless a later sale gave it anew.

    What earlier sales had paid stays, until `access_until`.
    """
    if entitlement.sale_id != sale_id:
        return entitlement
    if access_until is None:
        return Entitlement()
    return Entitlement(sale_id=sale_id, valid_until=access_until)


class EntitlementEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An event that grants or ends an entitlement."""

    def in_entitlement(self, entitlement: Entitlement) -> Entitlement:
        """The entitlement after this event."""
        raise NotImplementedError(type(self).__name__)
