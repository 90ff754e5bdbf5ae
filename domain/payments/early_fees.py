"""Fees of disputes that lines of settlement files told of before the disputes were heard of.

A line that pays such a fee books it as the processor's cost, for nobody knows better. The dispute,
when it comes, posts its fee as its own cost: so much of it as is paid already it takes over from
there. A line that gives a fee back before the win is heard of is taken over by the win likewise.
So the order of file and notice makes no difference.

Lines name the dispute, or only its payment: what a chargeback paid under the payment's reference is
for whichever dispute of that payment comes next.
"""

from typing import NamedTuple

import msgspec

from domain.command import Given
from domain.entity import State, entity
from domain.event import Event


class EarlyFeeEvent(Event, frozen=True):
    """An event that pays a fee early, gives one back early, or takes one over."""

    def in_early_fee(self, early: "EarlyFee", key: str) -> "EarlyFee":
        """What lines told early under the reference `key`, after this event."""
        raise NotImplementedError(type(self).__name__)


@entity
class EarlyFee(State, frozen=True, kw_only=True):
    """Minor units that lines told of early under a processor's reference, of a dispute or of the
    payment that it is about, and what disputes have taken over of it.
    """

    KIND = "early_fee"
    FOLD_VERSION = 2
    CACHED = False

    #: What lines paid, and what of it chargebacks did; what the dispute of this reference has
    #: taken over, and what disputes of the payment of this reference have.
    paid: int = 0
    charged: int = 0
    used: int = 0
    moved: int = 0
    #: The same of what lines gave back.
    returned: int = 0
    returned_used: int = 0
    returned_moved: int = 0

    @property
    def left(self) -> int:
        """What the dispute of this reference may still take over."""
        return max(0, self.paid - self.used - self.moved)

    @property
    def left_of_chargebacks(self) -> int:
        """What a dispute of the payment of this reference may still take over."""
        return min(self.left, max(0, self.charged - self.moved))

    @property
    def returned_left(self) -> int:
        """What a win may still take over of what was given back."""
        return self.returned - self.returned_used - self.returned_moved

    @property
    def borne(self) -> int:
        """What of the dispute's fee lines have told of early: the processor's account has not."""
        return self.used - self.returned_used

    def with_line(self, paid: int, returned: int, *, chargeback: bool) -> "EarlyFee":
        """The same once a line has paid, or given back, so much more."""
        return msgspec.structs.replace(
            self,
            paid=self.paid + paid,
            charged=self.charged + (paid if chargeback else 0),
            returned=self.returned + returned,
        )

    def with_taken(self, taken: "TakenOver") -> "EarlyFee":
        """The same once its dispute has taken so much over; negative: of what was given back."""
        if taken.amount < 0:
            return msgspec.structs.replace(
                self,
                returned=self.returned - taken.of_payment,
                returned_used=self.returned_used - taken.amount,
            )
        return msgspec.structs.replace(
            self, paid=self.paid + taken.of_payment, used=self.used + taken.amount
        )

    def with_moved(self, of_payment: int) -> "EarlyFee":
        """The same once a dispute of the payment has taken so much over; negative likewise."""
        if of_payment < 0:
            return msgspec.structs.replace(self, returned_moved=self.returned_moved - of_payment)
        return msgspec.structs.replace(self, moved=self.moved + of_payment)

    def apply(self, key: str, event: Event) -> "EarlyFee":
        """The fee after `event`."""
        assert isinstance(event, EarlyFeeEvent)
        return event.in_early_fee(self, key)


class TakenOver(NamedTuple):
    """What a dispute takes over of fees told early: all of it, and what of it stood under the
    reference of its payment, and which that is. Negative where it is of what was given back.
    """

    amount: int = 0
    of_payment: int = 0
    payment_ref: str | None = None

    def tags(self, processor: str, dispute: str) -> tuple[str, ...]:
        """The dispute's own reference, and its payment's, where they change."""
        own = (early_fee_key(processor, dispute),) if self.amount else ()
        beside = (early_fee_key(processor, self.payment_ref or ""),) if self.of_payment else ()
        return (*own, *beside)

    def in_early_fee(self, early: EarlyFee, *, own: bool) -> EarlyFee:
        """What was told early under the dispute's `own` reference, or under its payment's."""
        return early.with_taken(self) if own else early.with_moved(self.of_payment)


def early_fee_key(processor: str, reference: str) -> str:
    """The tag of what lines told early under a processor's reference."""
    return f"early_fee:{processor}:{reference}"


def paid_early(given: Given, processor: str, dispute: str, payment: str, fee: int) -> TakenOver:
    """What of a dispute's `fee` lines have paid already, and nobody has taken over yet: the dispute
    may have itself, while it was one of money in suspense.
    """
    own = given.state(EarlyFee, f"{processor}:{dispute}")
    due = max(0, fee - own.used)
    amount = min(due, own.left)
    of_payment = 0
    if payment != dispute:
        beside = given.state(EarlyFee, f"{processor}:{payment}")
        of_payment = min(due - amount, beside.left_of_chargebacks)
    return TakenOver(amount + of_payment, of_payment, payment if of_payment else None)


def returned_early(given: Given, processor: str, dispute: str, payment: str, fee: int) -> TakenOver:
    """What of the `fee` that comes back with a win lines have given back already; negative."""
    own = given.state(EarlyFee, f"{processor}:{dispute}")
    due = max(0, fee - own.returned_used)
    amount = min(due, own.returned_left)
    of_payment = 0
    if payment != dispute:
        beside = given.state(EarlyFee, f"{processor}:{payment}")
        of_payment = min(due - amount, beside.returned_left)
    return TakenOver(-amount - of_payment, -of_payment, payment if of_payment else None)
