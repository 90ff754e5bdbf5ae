"""Fees of disputes that lines of settlement files paid before the disputes were heard of.

Such a line books the fee as the processor's cost, for nobody knows better. The dispute, when it
comes, posts its fee as its own cost: so much of it as is paid already it takes over from there,
and the order of file and notice makes no difference.
"""

import msgspec

from domain.entity import State, entity
from domain.event import Event


class EarlyFeeEvent(Event, frozen=True):
    """An event that pays a fee early, or takes one over."""

    def in_early_fee(self, early: "EarlyFee") -> "EarlyFee":
        """What was paid early under the dispute's reference, after this event."""
        raise NotImplementedError(type(self).__name__)


@entity
class EarlyFee(State, frozen=True, kw_only=True):
    """Minor units that lines paid early for the dispute of a processor's reference, and what of
    them the dispute has taken over.
    """

    KIND = "early_fee"
    CACHED = False

    paid: int = 0
    used: int = 0

    @property
    def left(self) -> int:
        """What a dispute may still take over."""
        return max(0, self.paid - self.used)

    def with_paid(self, fee: int) -> "EarlyFee":
        """The same once a line has paid so much more, or given it back."""
        return msgspec.structs.replace(self, paid=self.paid + fee)

    def with_used(self, fee: int) -> "EarlyFee":
        """The same once the dispute has taken so much over."""
        return msgspec.structs.replace(self, used=self.used + fee)

    def apply(self, key: str, event: Event) -> "EarlyFee":
        """The fee after `event`."""
        assert isinstance(event, EarlyFeeEvent)
        return event.in_early_fee(self)


def early_fee_key(processor: str, reference: str) -> str:
    """The tag of what was paid early for the dispute that a processor calls so."""
    return f"early_fee:{processor}:{reference}"
