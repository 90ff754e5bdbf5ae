"""Calls: between whom, at which rate, how many blocks were paid, and why each ended."""

from operator import attrgetter

from domain.calls.call import Call, CallBlockCharged, CallBlockWrittenOff, CallEvent, CallStatus
from projections.engine.columns import INTEGER, TEXT, TIME, followed, kept
from projections.engine.register import Register, lives


def _tokens(before: int | None, event: CallEvent) -> int:
    more = event.tokens_paid + event.tokens_promo if isinstance(event, CallBlockCharged) else 0
    return (before or 0) + more


def _seconds(before: int | None, event: CallEvent) -> int:
    return (before or 0) + (event.seconds if isinstance(event, CallBlockCharged) else 0)


def _written_off(before: int | None, event: CallEvent) -> int:
    return (before or 0) + (event.cost if isinstance(event, CallBlockWrittenOff) else 0)


class Calls(Register):
    """Calls, in tokens: `tokens` were charged for `seconds` of `blocks`."""

    name, item = "calls", "call"
    version = 1
    state = Call
    statuses = tuple(CallStatus)
    branches = lives(CallEvent)
    amount = "tokens"
    columns = (
        kept("user", TEXT, attrgetter("terms.fan"), by="user"),
        kept("creator", TEXT, attrgetter("terms.creator"), by="creator"),
        kept("rate", INTEGER, attrgetter("terms.rate"), text="tokens a minute"),
        kept("block_seconds", INTEGER, attrgetter("terms.block_seconds")),
        kept("block_tokens", INTEGER, attrgetter("terms.block_tokens")),
        kept("blocks", INTEGER, text="charged or written off"),
        followed("tokens", INTEGER, _tokens),
        followed("seconds", INTEGER, _seconds),
        followed("written_off", INTEGER, _written_off),
        kept("started_at", TIME, attrgetter("terms.at")),
        kept("ended_at", TIME, nullable=True),
        kept("reason", TEXT, nullable=True, text="why it ended"),
    )
