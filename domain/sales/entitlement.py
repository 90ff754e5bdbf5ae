"""An entitlement: one user's right to one item, given by the sales that paid for it.

Every sale grants it until some time of its own, and what undoes a sale takes away only what that
sale granted: an earlier period of a subscription outlasts the refund of a later one.
"""

from datetime import datetime
from typing import Any

import msgspec

from domain.entity import State, entity
from domain.event import Event
from domain.wallets.wallet import NEVER


def entitlement_key(user: str, item: str) -> str:
    """The tag of `user`'s entitlement to `item`."""
    return f"entitlement:{user}:{item}"


class Grant(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one sale entitles to: the item until `valid_until` (exclusive; None: for good)."""

    sale_id: str
    valid_until: datetime | None = None

    @property
    def end(self) -> datetime:
        """A time to compare with."""
        return self.valid_until or NEVER


#: Grants of one item that are remembered: those that end last.
GRANTS_MAX = 200


@entity
class Entitlement(State, frozen=True, kw_only=True):
    """The grants of all sales that were not undone, in the order of the sales."""

    KIND = "entitlement"
    FOLD_VERSION = 2
    CACHED = False

    grants: tuple[Grant, ...] = ()

    @property
    def longest(self) -> Grant | None:
        """The grant that entitles longest; the latest of those alike."""
        if not self.grants:
            return None
        return max(reversed(self.grants), key=lambda grant: grant.end)

    def live(self, now: datetime) -> Grant | None:
        """What entitles at `now`, if anything."""
        grant = self.longest
        return grant if grant is not None and now < grant.end else None

    def granted(self, sale_id: str, valid_until: datetime | None) -> "Entitlement":
        """The entitlement with what a sale grants."""
        others = self.without(sale_id).grants if self.grants else ()
        grants = (*others, Grant(sale_id, valid_until))
        if len(grants) > GRANTS_MAX:
            first = min(grants, key=lambda grant: grant.end)
            grants = tuple(one for one in grants if one is not first)
        return Entitlement(grants=grants)

    def without(self, sale_id: str | None) -> "Entitlement":
        """The entitlement once a sale was undone."""
        return Entitlement(grants=tuple(one for one in self.grants if one.sale_id != sale_id))

    def apply(self, key: str, event: Any) -> "Entitlement":
        """The entitlement after `event`: every event that grants or ends one says how."""
        after: Entitlement = event.in_entitlement(self)
        return after


class EntitlementEvent(Event, frozen=True):
    """An event that grants or ends an entitlement."""

    def in_entitlement(self, entitlement: Entitlement) -> Entitlement:
        """The entitlement after this event."""
        raise NotImplementedError(type(self).__name__)
