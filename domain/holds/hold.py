"""Holds: credits set aside for a campaign, used batch by batch, the rest released.

A hold sets tokens aside in the lots they would be spent from. What a batch uses is consumed there,
so a lot releases exactly its price whatever is held, spent and released in between. Nothing is
owed to anybody for usage: what the tokens were sold for becomes the platform's revenue.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

import msgspec

from domain import accounts
from domain.accounts import Assets, Posting
from domain.agenda import AGENDA, AgendaEvent, Due
from domain.entity import State, entity
from domain.event import Event, stored_as
from domain.fields import LABELS_MAX
from domain.transitions import EXPIRY, Transitions
from domain.wallets.lot_changes import Cause, LotChange, changes_of
from domain.wallets.wallet import LotUse, Wallet, WalletEvent


class HoldStatus(StrEnum):
    """Whether tokens are still set aside; otherwise why not."""

    OPEN = "OPEN"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


RELEASE_EVERY_S = 60
#: Batches of one hold: that of a million messages has 200.
BATCHES_MAX = 5_000
TICK = timedelta(microseconds=1)


TRANSITIONS: Transitions[HoldStatus] = {
    (None, "hold-credits"): HoldStatus.OPEN,
    (HoldStatus.OPEN, "settle-batch"): HoldStatus.OPEN,
    (HoldStatus.OPEN, "release-hold"): HoldStatus.RELEASED,
    (HoldStatus.OPEN, EXPIRY): HoldStatus.EXPIRED,
}


class HoldEvent(WalletEvent, frozen=True, kw_only=True):
    """An event in a hold's life: `tokens` of the user's lots are concerned."""

    cause: ClassVar[Cause]

    hold_id: str
    user: str
    tokens: int
    lots: tuple[LotUse, ...]

    def tags(self) -> tuple[str, ...]:
        return f"hold:{self.hold_id}", f"wallet:{self.user}"

    def lot_changes(self) -> tuple[LotChange, ...]:
        """All of `lots`, each in its place."""
        return changes_of(self.user, self.lots, self.cause)

    def in_hold(self, hold: "Hold") -> "Hold":
        """The hold after this event."""
        raise NotImplementedError(type(self).__name__)


@entity
class Hold(State, frozen=True, kw_only=True):
    """What is still held, of which lots, and which batches are settled with how much."""

    KIND = "hold"
    FOLD_VERSION = 2
    LISTS: ClassVar = {"batches": BATCHES_MAX, "labels": LABELS_MAX}

    status: HoldStatus | None = None
    user: str = ""
    lots: tuple[LotUse, ...] = ()
    expires_at: datetime | None = None
    batches: tuple[tuple[int, int], ...] = ()
    #: Those of the command that set it aside: of a campaign, say.
    labels: dict[str, str] | None = None

    @property
    def held(self) -> int:
        """Tokens neither used nor released."""
        return sum(use.tokens for use in self.lots)

    def status_at(self, now: datetime) -> HoldStatus | None:
        """Its status, expiry included whether or not a scheduler has seen to it."""
        if self.status == HoldStatus.OPEN and self.expires_at is not None and now > self.expires_at:
            return HoldStatus.EXPIRED
        return self.status

    def first(self, tokens: int, wallet: Wallet) -> tuple[LotUse, ...]:
        """Which lots the next `tokens` of it come from, and what they release."""
        uses = []
        for use in self.lots:
            taken = min(tokens, use.tokens)
            if taken:
                lot = wallet.lot(use.lot)
                assert lot is not None, use
                released = lot.released(taken)
                uses.append(msgspec.structs.replace(use, tokens=taken, released=released))
                tokens -= taken
        return tuple(uses)

    def without(self, uses: tuple[LotUse, ...]) -> tuple[LotUse, ...]:
        """Its lots after `uses`."""
        taken = {use.lot: use.tokens for use in uses}
        left = (
            msgspec.structs.replace(use, tokens=use.tokens - taken.get(use.lot, 0))
            for use in self.lots
        )
        return tuple(use for use in left if use.tokens)

    def apply(self, key: str, event: Event) -> "Hold":
        """The hold after `event`: every event in its life says how."""
        assert isinstance(event, HoldEvent)
        return event.in_hold(self)


@stored_as("credits.held.v1")
class CreditsHeld(HoldEvent, AgendaEvent, frozen=True, kw_only=True):
    """`tokens` were set aside, for good or until `expires_at` (inclusive)."""

    cause = Cause.HELD

    expires_at: datetime | None = None

    def tags(self) -> tuple[str, ...]:
        """Those of any hold; the agenda, if it ends by itself."""
        return (*super().tags(), AGENDA) if self.expires_at is not None else super().tags()

    def agenda(self) -> tuple[str, Due | None]:
        """What is left is released once the time is over."""
        item = f"hold:{self.hold_id}"
        if self.expires_at is None:
            return item, None
        fields = {"hold": self.hold_id}
        return item, Due(self.expires_at + TICK, "release-hold", fields, RELEASE_EVERY_S)

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`w.free -> w.held`."""
        return self.token_postings(assets)

    def in_hold(self, hold: Hold) -> Hold:
        return Hold(
            status=HoldStatus.OPEN,
            user=self.user,
            lots=self.lots,
            expires_at=self.expires_at,
            labels=self.labels,
        )


@stored_as("hold.settled.v1")
class HoldSettled(HoldEvent, frozen=True, kw_only=True):
    """Batch `batch_no` used `tokens`, which release `released` minor units of their price."""

    cause = Cause.USED

    batch_no: int
    released: int

    def labelled_by(self) -> str:
        """Its hold, by whose labels usage is summed."""
        return f"hold:{self.hold_id}"

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`w.held -> supply` and `deferred -> rev.usage`."""
        return (
            *self.token_postings(assets),
            (accounts.DEFERRED, assets.currency, self.released),
            (accounts.USAGE_REVENUE, assets.currency, -self.released),
        )

    def in_hold(self, hold: Hold) -> Hold:
        """One batch more, so many tokens less."""
        return msgspec.structs.replace(
            hold,
            lots=hold.without(self.lots),
            batches=(*hold.batches, (self.batch_no, self.tokens)),
        )


@stored_as("hold.released.v1")
class HoldReleased(HoldEvent, AgendaEvent, frozen=True, kw_only=True):
    """The rest of a hold is free again; `reason`: RELEASED on request, EXPIRED by time."""

    cause = Cause.RELEASED

    reason: str

    def tags(self) -> tuple[str, ...]:
        """Those of any hold, and the agenda."""
        return (*super().tags(), AGENDA)

    def labelled_by(self) -> str:
        return f"hold:{self.hold_id}"

    def agenda(self) -> tuple[str, Due | None]:
        """Nothing is left to do."""
        return f"hold:{self.hold_id}", None

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`w.held -> w.free`."""
        return self.token_postings(assets)

    def in_hold(self, hold: Hold) -> Hold:
        return msgspec.structs.replace(hold, status=HoldStatus(self.reason), lots=())
