"""What processors' notices about payments carry, and what is new in the figure of a refund."""

from collections.abc import Iterable
from datetime import datetime

from domain.command import Command, Given, Ignored, Parked
from domain.entity import LoadedStates
from domain.fields import Currency, Id, PositiveAmount, Reference
from domain.refunds.referents import NAMES, InSuspense, Referent, referent, referent_keys
from domain.refunds.refund import RefundIgnored
from domain.rejections import STALE_FIGURE


class PaymentNotice(Command):
    """A notice about a payment: the processor's, and what it is about."""

    sale: Reference | None = None
    purchase: Reference | None = None
    payment_ref: Reference | None = None
    processor: Id
    processor_ref: Reference
    currency: Currency | None = None

    def notice_id(self) -> tuple[str, str]:
        """The processor's reference of this notice, not of the payment."""
        return self.processor, self.processor_ref

    def problems(self) -> Iterable[tuple[str, str]]:
        """Exactly one name says what it is about."""
        if len(self.named()) != 1:
            *others, last = (field for field in NAMES if field in type(self).model_fields)
            yield "", f"name one of {', '.join(others)} and {last}"

    def named(self) -> dict[str, str]:
        """What is named, by field."""
        found = ((field, getattr(self, field, None)) for field in NAMES)
        return {field: name for field, name in found if name is not None}

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """What is named, and whom it concerns."""
        ((field, name),) = self.named().items()
        return referent_keys(states, field, name)

    def referent(self, given: Given) -> Referent | Parked:
        """What it is about; parked until that has arrived."""
        ((field, name),) = self.named().items()
        return referent(given, field, name, self.processor)

    def other_currency(self, given: Given, found: Referent) -> str | None:
        """The currency of its figures, if that is not the currency of what it is about.

        A notice that names none speaks of the payment in its own.
        """
        own = given.assets.currency
        if isinstance(found, InSuspense):
            own = found.waiting.currency or own
        return None if self.currency in (None, own) else self.currency

    def at(self, given: Given) -> datetime:
        """When it happened."""
        return self.occurred_at or given.now


class RefundReport(PaymentNotice):
    """What a processor refunded: by now in all (`cumulative`), or by this refund (`amount`)."""

    cumulative: PositiveAmount | None = None
    amount: PositiveAmount | None = None

    def problems(self) -> Iterable[tuple[str, str]]:
        """Exactly one figure is given, too."""
        yield from super().problems()
        if (self.cumulative is None) == (self.amount is None):
            yield "", "give one of cumulative and amount"

    def new_part(
        self, given: Given, told: int, *, failed_at: datetime | None = None, bounced: int = 0
    ) -> int | Ignored:
        """What is new in its figure where refunds of `told` are known, or that nothing is.

        A cumulative figure includes what a failed payment took back (`bounced`), and says nothing
        new if it is older than the last failure, after which the processor counted anew.
        """
        if self.amount is not None:
            return self.amount
        assert self.cumulative is not None
        before = failed_at is not None and self.at(given) < failed_at
        if before or self.cumulative <= told + bounced:
            remembered = RefundIgnored(
                processor=self.processor, processor_ref=self.processor_ref, code=STALE_FIGURE
            )
            return Ignored(STALE_FIGURE, (remembered,))
        return self.cumulative - told
