"""Lot changes: how an event that moves tokens says which, whose, and why.

Everything that has to know of a movement follows from this one declaration: what becomes of the
wallet, the token half of the postings, a wallet's lifetime figures, and how much of a purchase was
used. A new movement is a new cause, and the type checker names every place that must decide on it.
"""

from enum import Enum, StrEnum
from typing import NamedTuple, Protocol

from domain import accounts


class TokenPlace(Enum):
    """Where tokens are: with nobody, free in a wallet, or set aside in it."""

    SUPPLY = "supply"
    FREE = "free"
    HELD = "held"

    def account(self, user: str) -> str:
        """The account of the tokens there, if they are `user`'s or were or will be."""
        if self is TokenPlace.SUPPLY:
            return accounts.SUPPLY
        return accounts.wallet_free(user) if self is TokenPlace.FREE else accounts.wallet_held(user)


class Cause(StrEnum):
    """Why tokens move."""

    PURCHASED = "purchased"
    GRANTED = "granted"
    #: A sale took them from the wallet, or a refund of it gives them back.
    SPENT = "spent"
    RETURNED = "returned"
    #: A hold or a dispute sets them aside; they are used there, or the hold lets them go.
    HELD = "held"
    USED = "used"
    RELEASED = "released"
    EXPIRED = "expired"
    #: Their purchase is refunded, or charged back, or stands again after all.
    REVOKED = "revoked"
    CANCELLED = "cancelled"
    RESTORED = "restored"
    #: None of them moves: what is left of the lot is worth something else from now on.
    REPRICED = "repriced"
    #: An adjustment gave or took them.
    CREDITED = "credited"
    DEBITED = "debited"


#: From where to where the tokens of a change move.
ROUTES: dict[Cause, tuple[TokenPlace, TokenPlace]] = {
    Cause.PURCHASED: (TokenPlace.SUPPLY, TokenPlace.FREE),
    Cause.GRANTED: (TokenPlace.SUPPLY, TokenPlace.FREE),
    Cause.SPENT: (TokenPlace.FREE, TokenPlace.SUPPLY),
    Cause.RETURNED: (TokenPlace.SUPPLY, TokenPlace.FREE),
    Cause.HELD: (TokenPlace.FREE, TokenPlace.HELD),
    Cause.USED: (TokenPlace.HELD, TokenPlace.SUPPLY),
    Cause.RELEASED: (TokenPlace.HELD, TokenPlace.FREE),
    Cause.EXPIRED: (TokenPlace.FREE, TokenPlace.SUPPLY),
    Cause.REVOKED: (TokenPlace.FREE, TokenPlace.SUPPLY),
    Cause.CANCELLED: (TokenPlace.HELD, TokenPlace.SUPPLY),
    Cause.RESTORED: (TokenPlace.SUPPLY, TokenPlace.FREE),
    Cause.REPRICED: (TokenPlace.FREE, TokenPlace.FREE),
    Cause.CREDITED: (TokenPlace.SUPPLY, TokenPlace.FREE),
    Cause.DEBITED: (TokenPlace.FREE, TokenPlace.SUPPLY),
}


class NamedLot(Protocol):
    """A lot, or somebody's part in one."""

    @property
    def lot(self) -> str:
        """Its id."""

    @property
    def purchase(self) -> str:
        """The id of the purchase, or whatever else it came in with."""

    @property
    def kind(self) -> str:
        """The class of its tokens: PAID or PROMO."""


class LotChange(NamedTuple):
    """`tokens` of `user`'s lot move for `cause`; negative ones move back.

    What comes into a wallet names the whole `Lot`, since the wallet may not have it; what is
    repriced names a `LotPrice`.
    """

    user: str
    lot: NamedLot
    tokens: int
    cause: Cause


def changes_of(user: str, lots: "tuple[CountedLot, ...]", cause: Cause) -> tuple[LotChange, ...]:
    """All `tokens` that each of `lots` speaks of, for one cause."""
    return tuple(LotChange(user, lot, lot.tokens, cause) for lot in lots)


class CountedLot(NamedLot, Protocol):
    """A number of tokens of a lot."""

    @property
    def tokens(self) -> int:
        """How many."""
