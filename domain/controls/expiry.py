"""The commands by which tokens end: what time has done to them is posted.

A command takes at most so many lots, and the next takes the rest. A fan who is in a call has used
the tokens until their end: the call is metered up to that instant first.
"""

from datetime import datetime
from typing import ClassVar

from domain.calls.call import Call
from domain.calls.metering import BLOCKS_MAX, metered
from domain.command import Command, Decision, Given, command
from domain.creators.creator import Creator
from domain.entity import LoadedStates
from domain.event import Event
from domain.fields import Id
from domain.wallets.expiry import end_of_lot
from domain.wallets.wallet import NEVER, Lot, TokenClass, Wallet, WalletEvent

ENDED_MAX = 200


class ExpiryCommand(Command):
    """A command that ends lots of the user's wallet."""

    roles = frozenset({"service", "finance"})
    kind: ClassVar[TokenClass]

    user: Id

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The wallet, and the call that the user is in with its creator."""
        key = f"wallet:{self.user}"
        wallet = states.loaded(Wallet, self.user)
        if wallet is None or wallet.call is None:
            return (key,)
        call = states.loaded(Call, wallet.call)
        if call is None or call.terms is None:
            return key, f"call:{wallet.call}"
        return key, f"call:{wallet.call}", f"creator:{call.terms.creator}"

    def decide(self, given: Given) -> Decision:
        """The call's blocks up to the last end, then one event a lot."""
        wallet = given.state(Wallet, self.user)
        ended = self._ended(wallet, given.now)
        if not ended:
            return ()
        events, until = _metered(wallet, given, max(_end(lot) for lot in ended))
        for event in events:
            if isinstance(event, WalletEvent):
                wallet = event.in_wallet(wallet, self.user)
        left = (lot for lot in self._ended(wallet, given.now) if _end(lot) <= until)
        return (*events, *(end_of_lot(lot, self.user, lot.free) for lot in left))

    def _ended(self, wallet: Wallet, now: datetime) -> list[Lot]:
        """The lots whose time has come, with something free in them."""
        lots = [
            lot for lot in wallet.lots if lot.kind == self.kind and lot.free and _end(lot) <= now
        ]
        return lots[:ENDED_MAX]


def _end(lot: Lot) -> datetime:
    return lot.expires_at or NEVER


def _metered(wallet: Wallet, given: Given, until: datetime) -> tuple[tuple[Event, ...], datetime]:
    """What the user's call has used up to `until`; and how far that goes, if it is too much."""
    if wallet.call is None:
        return (), until
    call = given.state(Call, wallet.call)
    terms = call.terms
    assert terms is not None
    creator = given.state(Creator, terms.creator)
    events = metered(call, terms, given, until, wallet=wallet, creator=creator)
    last = events[-1] if len(events) == BLOCKS_MAX else None
    return events, getattr(last, "active_to", until)


@command
class ExpirePromo(ExpiryCommand):
    """Expire a user's promotional tokens whose time is over; nothing happens where none is."""

    name = "expire-promo"
    kind = TokenClass.PROMO


@command
class LapseTokens(ExpiryCommand):
    """Lapse a user's paid tokens whose time is over; nothing happens where none is."""

    name = "lapse-tokens"
    kind = TokenClass.PAID
