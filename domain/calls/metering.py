"""Metering: complete blocks of a call are charged, however late, often or concurrently one asks.

What is due follows from the call and the clock alone: elapsed time without pauses, in complete
blocks, less what was charged. So a missed tick is caught up, and a second one finds nothing to do.
A block is paid from tokens that are there now, were there at its end and had not expired by then:
late metering charges the blocks that metering in time would have charged, unless tokens are spent.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice

from domain.calls.call import (
    Call,
    CallBlockCharged,
    CallBlockWrittenOff,
    CallEndReason,
    CallStarted,
    CallStatus,
    Span,
)
from domain.calls.commands import CallCommand, ending
from domain.command import Decision, Given, command
from domain.creators.creator import Creator
from domain.event import Event
from domain.fields import FreezeScope, Instant
from domain.policy import maturity, refund_end
from domain.rejections import (
    CALL_NOT_ACTIVE,
    CLOCK_SKEW,
    Rejection,
    reject,
)
from domain.sales.amounts import token_amounts
from domain.sales.sale import TOKEN
from domain.wallets.wallet import LATE_WITHIN, Wallet

#: Bound, for every block asks: an enum's attribute costs five globals.
SPEND, EARN, ENDED = FreezeScope.SPEND, FreezeScope.EARN, CallStatus.ENDED

AHEAD_MAX = timedelta(seconds=5)
#: Blocks that one command charges at most; the next one goes on where it stopped.
BLOCKS_MAX = 480


@command
class MeterCall(CallCommand):
    """Charge the complete blocks of a call up to `as_of`, by default up to now."""

    name = "meter-call"
    grows = False

    as_of: Instant | None = None

    def decide(self, given: Given) -> Decision:
        """Blocks charged or, long after the end, written off; and the end where one is due."""
        as_of, now = self.__dict__["as_of"], given.now
        if as_of is not None and as_of > now + AHEAD_MAX:
            return reject(CLOCK_SKEW, field="as_of", given=as_of, now=now)
        found = self.load_call(given)
        if type(found) is Rejection:
            return found
        call, terms = found
        if call.ended_at is not None and now > call.ended_at + LATE_WITHIN:
            late = islice(call.unpaid(call.ended_at), BLOCKS_MAX)
            return _written_off(call, terms, late) or reject(
                CALL_NOT_ACTIVE, call=self.call, state=CallStatus.ENDED
            )
        return metered(
            call,
            terms,
            given,
            now if as_of is None else min(as_of, now),
            wallet=given.state(Wallet, terms.fan),
            creator=given.state(Creator, terms.creator),
        )


def _written_off(call: Call, terms: CallStarted, late: Iterable[Span]) -> tuple[Event, ...]:
    """Blocks that were complete but were not paid in time."""
    return tuple(
        CallBlockWrittenOff(
            call_id=terms.call_id, block_no=number, cost=terms.block_tokens, active_to=ended
        )
        for number, (_, ended) in enumerate(late, call.blocks + 1)
    )


def metered(
    call: Call,
    terms: CallStarted,
    given: Given,
    moment: datetime,
    *,
    wallet: Wallet,
    creator: Creator,
    at_most: int = BLOCKS_MAX,
    name: str | None = None,
) -> tuple[Event, ...]:
    """The blocks complete at `moment`, each charged in full or not at all, and the end if due.

    Sales are called `name` (by default the command's id) and the number of their block.
    """
    over = call.status == ENDED
    if SPEND in wallet.frozen:
        return () if over else (ending(terms, given.now, CallEndReason.ACCOUNT_FROZEN),)
    if over and call.reason == CallEndReason.INSUFFICIENT_FUNDS:
        return ()
    idle = not over and moment >= call.idle_at
    until = call.idle_at if idle else moment
    blocks: list[CallBlockCharged] = []
    for span in call.unpaid(until):
        if len(blocks) == at_most:
            return tuple(blocks)
        if blocks:
            wallet = blocks[-1].in_wallet(wallet, terms.fan)
        number = call.blocks + len(blocks) + 1
        block = _block(
            number, span, terms, given, wallet=wallet, creator=creator, name=name or given.new_id
        )
        if block is None:
            if over:
                return tuple(blocks)
            return (*blocks, ending(terms, span[1], CallEndReason.INSUFFICIENT_FUNDS))
        blocks.append(block)
    if idle:
        return (*blocks, ending(terms, call.idle_at, CallEndReason.IDLE))
    if not over and EARN in creator.frozen:
        return (*blocks, ending(terms, given.now, CallEndReason.CREATOR_FROZEN))
    return tuple(blocks)


def _block(
    number: int,
    span: Span,
    terms: CallStarted,
    given: Given,
    *,
    wallet: Wallet,
    creator: Creator,
    name: str,
) -> CallBlockCharged | None:
    """One block's sale on the terms of its call.

    None if the wallet does not cover it with tokens that were there at its end, and were good then.
    """
    amounts = token_amounts(
        wallet.at(span[1]),
        terms.block_tokens,
        terms.creator,
        now=span[1],
        unit_value=terms.unit_value,
        bps=terms.share_bps,
    )
    if type(amounts) is Rejection:
        return None
    mature_at = maturity(given.now, terms.maturity_days)
    return CallBlockCharged(
        sale_id=f"{name}-{number}",
        buyer=terms.fan,
        creator=terms.creator,
        product="call",
        funding=TOKEN,
        gross=terms.block_tokens * terms.unit_value,
        discount=0,
        mature_at=mature_at,
        on_agenda=creator.first_at(mature_at),
        escrowed_at=given.now if EARN in creator.frozen else None,
        refund_until=refund_end(given.now, terms.refund_window_days),
        call_id=terms.call_id,
        block_no=number,
        active_from=span[0],
        active_to=span[1],
        seconds=terms.block_seconds,
        tokens_paid=amounts.tokens_paid,
        tokens_promo=amounts.tokens_promo,
        released=amounts.released,
        tax=0,
        creator_share=amounts.creator_share,
        platform_share=amounts.platform_share,
        lots=amounts.lots,
        payees=amounts.payees,
    )


def calls_of(creator: Creator, given: Given) -> tuple[Call, ...]:
    """The calls that a creator is in; their fans' wallets are loaded with them."""
    calls = given.states_of(Call, creator.calls)
    given.states_of(Wallet, [call.terms.fan for call in calls.values() if call.terms is not None])
    return tuple(calls.values())


def stopped(creator: Creator, given: Given) -> tuple[Event, ...]:
    """The ends of all calls of a creator who is frozen from now on.

    Blocks that are complete are charged, at most so many in all as one metering may charge; the
    rest is metered afterwards like that of any call that has ended.
    """
    events: list[Event] = []
    for nth, call in enumerate(calls_of(creator, given)):
        terms = call.terms
        assert terms is not None
        found = metered(
            call,
            terms,
            given,
            given.now,
            wallet=given.state(Wallet, terms.fan),
            creator=creator,
            at_most=max(BLOCKS_MAX - len(events), 0),
            name=f"{given.new_id}-{nth}",
        )
        for event in found:
            if isinstance(event, CallBlockCharged):
                creator = event.in_creator(creator, terms.creator)
        if not found or isinstance(found[-1], CallBlockCharged):
            at = min(given.now, call.idle_at)
            found = (*found, ending(terms, at, CallEndReason.CREATOR_FROZEN))
        events += found
    return tuple(events)
