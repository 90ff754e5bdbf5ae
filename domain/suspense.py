"""Payments in suspense: money that arrived and contradicts the policy or the state."""

from domain import accounts
from domain.accounts import Assets, Posting
from domain.command import Command, Suspended
from domain.event import Event, stored_as


@stored_as("payment.suspended.v1")
class PaymentSuspended(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A processor took `amount` minor units that no rule accepts; a person decides.

    `code` says what was contradicted, `command` what the notice asked for.
    """

    processor: str
    ref: str
    amount: int
    code: str
    command: str
    user: str | None = None
    creator: str | None = None

    def tags(self) -> tuple[str, ...]:
        """The payment and whoever it named; a wallet or creator is not changed by it."""
        return (f"payment:{self.processor}:{self.ref}",)

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`psp -> suspense`."""
        return (
            (accounts.processor(self.processor), assets.currency, self.amount),
            (accounts.SUSPENSE, assets.currency, -self.amount),
        )


def suspended(command: Command, amount: int, code: str) -> Suspended:
    """The outcome of a notice that contradicts policy or state: its money waits in suspense."""
    processor, processor_ref = command.notice_id() or ("", "")
    event = PaymentSuspended(
        processor=processor,
        ref=processor_ref,
        amount=amount,
        code=code,
        command=command.name,
        user=getattr(command, "user", None),
        creator=getattr(command, "creator", None),
    )
    return Suspended(code, (event,))
