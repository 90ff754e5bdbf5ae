"""Holding: credits are held for a campaign, its batches settled, and the rest released.

A batch may be reported again and again; what it used counts once. Whether a hold is still open is
a matter of the clock, not of a scheduler's punctuality.
"""

from datetime import datetime, timedelta

import msgspec

from domain.command import Command, Decision, Given, command
from domain.entity import LoadedStates
from domain.event import Event
from domain.fields import Amount, FreezeScope, Funding, Id, Instant, PositiveAmount
from domain.holds.hold import (
    BATCHES_MAX,
    TRANSITIONS,
    CreditsHeld,
    Hold,
    HoldReleased,
    HoldSettled,
    HoldStatus,
)
from domain.purchases.purchase import PurchaseRecord
from domain.refunds.purchase_freezes import with_freezes
from domain.rejections import (
    ACCOUNT_FROZEN,
    CAPTURE_EXCEEDS_HOLD,
    HOLD_NOT_OPEN,
    INSUFFICIENT_TOKENS,
    INVALID_TRANSITION,
    LIMIT_REACHED,
    NO_POLICY,
    OFFER_EXPIRED,
    PRODUCT_DISABLED,
    UNKNOWN_HOLD,
    Rejection,
    reject,
)
from domain.reversals.clawback import with_cancelled_payouts
from domain.reversals.purchase_loss_events import restated, restatement
from domain.wallets.expiry import end_of_lot
from domain.wallets.wallet import LotUse, Wallet, WalletEvent


@command
class HoldCredits(Command):
    """Set tokens aside until `expires_at`, or for as long as the policy lets holds stand."""

    name = "hold-credits"
    grows = False

    user: Id
    tokens: PositiveAmount
    expires_at: Instant | None = None

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        return (f"wallet:{self.user}",)

    def decide(self, given: Given) -> Decision:
        version = given.policy
        if version is None:
            return reject(NO_POLICY, at=given.now)
        policy, wallet = version.policy, given.state(Wallet, self.user)
        if FreezeScope.SPEND in wallet.frozen:
            return reject(ACCOUNT_FROZEN, user=self.user, scope=FreezeScope.SPEND)
        if "hold" not in policy.products_enabled or Funding.TOKEN not in policy.funding:
            return reject(PRODUCT_DISABLED, product="hold", funding=Funding.TOKEN)
        expires_at = self.expires_at
        if expires_at is None and policy.hold_expiry_hours is not None:
            expires_at = given.now + timedelta(hours=policy.hold_expiry_hours)
        if expires_at is not None and expires_at <= given.now:
            return reject(OFFER_EXPIRED, expired_at=expires_at)
        uses = wallet.take(self.tokens, given.now)
        if uses is None:
            current = wallet.spendable(given.now)
            return reject(
                INSUFFICIENT_TOKENS,
                required=self.tokens,
                current=current,
                shortfall=self.tokens - current,
            )
        event = CreditsHeld(
            hold_id=given.new_id,
            user=self.user,
            tokens=self.tokens,
            lots=tuple(msgspec.structs.replace(use, released=0) for use in uses),
            expires_at=expires_at,
        )
        return (event,)


class HoldCommand(Command):
    """What commands about a hold carry."""

    grows = False

    hold: Id

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The hold, and its wallet."""
        key = f"hold:{self.hold}"
        hold = states.loaded(Hold, self.hold)
        return (key,) if hold is None or hold.status is None else (key, f"wallet:{hold.user}")

    def load_hold(self, given: Given) -> Hold | Rejection:
        """The hold, open or not."""
        hold = given.state(Hold, self.hold)
        return reject(UNKNOWN_HOLD, hold=self.hold) if hold.status is None else hold

    def not_open(self, status: str | None) -> Rejection:
        """The rejection of a step after the end."""
        return reject(HOLD_NOT_OPEN, hold=self.hold, state=status)


@command
class SettleBatch(HoldCommand):
    """Use held tokens for a batch. Settling a batch again with the same figure changes nothing."""

    name = "settle-batch"

    batch_no: Amount
    used: Amount

    def decide(self, given: Given) -> Decision:
        """The usage, or a rejection if the batch was settled with another figure."""
        hold = self.load_hold(given)
        if isinstance(hold, Rejection):
            return hold
        before = dict(hold.batches).get(self.batch_no)
        if before == self.used:
            return ()
        if before is not None:
            return reject(
                INVALID_TRANSITION,
                subject=f"batch {self.batch_no} of hold {self.hold}",
                state=f"settled with {before}",
            )
        status = hold.status_at(given.now)
        if (status, self.name) not in TRANSITIONS:
            return self.not_open(status)
        if self.used > hold.held:
            return reject(CAPTURE_EXCEEDS_HOLD, requested=self.used, held=hold.held)
        if len(hold.batches) >= BATCHES_MAX:
            subject = f"hold {self.hold}"
            return reject(LIMIT_REACHED, subject=subject, what="batches", limit=BATCHES_MAX)
        uses = hold.first(self.used, given.state(Wallet, hold.user))
        event = HoldSettled(
            hold_id=self.hold,
            user=hold.user,
            tokens=self.used,
            lots=uses,
            batch_no=self.batch_no,
            released=sum(use.released for use in uses),
        )
        return (event,)


@command
class ReleaseHold(HoldCommand):
    """Release what is left of a hold: its tokens may be spent again.

    Those of a purchase that a bank or a processor took back are cancelled as they arrive.
    """

    name = "release-hold"

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The hold, its wallet, and those of its purchases that are contested."""
        keys = super().prefetch(states)
        hold = states.loaded(Hold, self.hold)
        wallet = None if hold is None else states.loaded(Wallet, hold.user)
        if hold is None or wallet is None:
            return keys
        contested = _contested(hold, wallet)
        trails = (f"trail:{hold.user}:{purchase}" for purchase in contested)
        return *keys, *(f"purchase:{purchase}" for purchase in contested), *trails

    def decide(self, given: Given) -> Decision:
        """The release, what contested purchases lose by it, then the end of tokens whose time
        passed while they were held.
        """
        hold = self.load_hold(given)
        if isinstance(hold, Rejection):
            return hold
        if (hold.status, self.name) not in TRANSITIONS:
            return self.not_open(hold.status)
        status = hold.status_at(given.now)
        released = HoldReleased(
            hold_id=self.hold,
            user=hold.user,
            tokens=hold.held,
            lots=hold.lots,
            reason=HoldStatus.RELEASED if status == HoldStatus.OPEN else HoldStatus.EXPIRED,
        )
        wallet = given.state(Wallet, hold.user)
        contested = given.states_of(PurchaseRecord, _contested(hold, wallet))
        wallet = released.in_wallet(wallet, hold.user)
        losses: list[Event] = []
        for record in contested.values():
            found = restated(given, record, wallet)
            if found is None:
                continue
            for event in with_freezes(record, wallet, restatement(record, found)):
                assert isinstance(event, WalletEvent)
                wallet = event.in_wallet(wallet, hold.user)
                losses.append(event)
        ended = (_ended(use, wallet, hold.user, given.now) for use in hold.lots)
        ends = (event for event in ended if event is not None)
        return with_cancelled_payouts(given, (released, *losses, *ends))


def _contested(hold: Hold, wallet: Wallet) -> tuple[str, ...]:
    """The purchases of held tokens that a bank or a processor contests."""
    purchases = dict.fromkeys(use.purchase for use in hold.lots)
    return tuple(purchase for purchase in purchases if purchase in wallet.contested)


def _ended(use: LotUse, wallet: Wallet, user: str, now: datetime) -> Event | None:
    """The end of tokens whose lot is over by the time they are released."""
    lot = wallet.lot(use.lot)
    if lot is None or lot.expires_at is None or now < lot.expires_at:
        return None
    tokens = min(use.tokens, lot.free)
    return end_of_lot(lot, user, tokens) if tokens else None
