"""Payouts: where each is on its way, its amounts, who decided, and when.

A row is the domain's own fold of the payout, with what its events say beside it: who approved it,
the processor's reference, why it was rejected or came back. gross = fee + withheld + net.
"""

from domain.payouts.payout import Payout, PayoutEvent, PayoutPaid, PayoutStatus
from projections.engine.columns import BOOLEAN, INTEGER, TEXT, TIME, kept, said
from projections.engine.register import Register, lives


class Payouts(Register):
    """Payouts by id."""

    name, item = "payouts", "payout"
    version = 2
    state = Payout
    statuses = tuple(status.upper() for status in PayoutStatus)
    branches = lives(PayoutEvent)
    amount = "gross"
    columns = (
        kept("creator", TEXT, by="creator"),
        kept("requester", TEXT, by="requested_by"),
        kept("sender", TEXT, nullable=True, text="who sent the request on the requester's behalf"),
        kept("gross", INTEGER),
        kept("fee", INTEGER),
        kept("withheld", INTEGER),
        kept("net", INTEGER),
        kept("country", TEXT, nullable=True),
        said("instant", BOOLEAN),
        said("approver", TEXT),
        said("processor", TEXT, by="processor"),
        said("processor_ref", TEXT, by="processor_ref"),
        said("reason", TEXT, text="why it was rejected, failed or came back"),
        said("paid_at", TIME, lambda event: event.at if isinstance(event, PayoutPaid) else None),
    )
