"""Promotional tokens: given, not sold. They release nothing; the platform bears their cost."""

from datetime import datetime

from domain.accounts import Assets, Posting
from domain.agenda import AGENDA, AgendaEvent, AgendaItem, ending
from domain.command import Command, Decision, Given, command
from domain.entity import LoadedStates
from domain.event import stored_as
from domain.fields import Code, Funding, Id, Instant, PositiveAmount
from domain.rejections import NO_POLICY, OFFER_EXPIRED, PRODUCT_DISABLED, reject
from domain.wallets.lot_changes import Cause, LotChange
from domain.wallets.wallet import Lot, TokenClass, WalletEvent


@stored_as("promo_tokens.granted.v1")
class PromoTokensGranted(WalletEvent, AgendaEvent, frozen=True, kw_only=True):
    """`tokens` given to `user`, to be spent before `expires_at` (exclusive)."""

    lot_id: str
    user: str
    tokens: int
    reason: str
    expires_at: datetime | None = None
    #: Whether the agenda has to learn of their end.
    on_agenda: bool = False

    def tags(self) -> tuple[str, ...]:
        """The wallet, and the agenda if the tokens end by themselves."""
        wallet = f"wallet:{self.user}"
        return (wallet, AGENDA) if self.on_agenda else (wallet,)

    def agenda_items(self) -> tuple[AgendaItem, ...]:
        """What is left of them expires."""
        at = self.expires_at if self.on_agenda else None
        return ending(self.lot_id, "expire-promo", self.user, at)

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`supply -> w.free`."""
        return self.token_postings(assets)

    def lot_changes(self) -> tuple[LotChange, ...]:
        """A new promotional lot."""
        lot = Lot(
            self.lot_id, self.lot_id, TokenClass.PROMO, self.tokens, 0, expires_at=self.expires_at
        )
        return (LotChange(self.user, lot, self.tokens, Cause.GRANTED),)


@command
class GrantPromo(Command):
    """Grant promotional tokens, which end at `expires_at` or after the policy's promo expiry."""

    name = "grant-promo"
    roles = frozenset({"service", "finance"})

    user: Id
    tokens: PositiveAmount
    reason_code: Code
    expires_at: Instant | None = None

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        return (f"wallet:{self.user}",)

    def decide(self, given: Given) -> Decision:
        """The grant, or a rejection where the policy knows no tokens."""
        version = given.policy
        if version is None:
            return reject(NO_POLICY, at=given.now)
        if Funding.TOKEN not in version.policy.funding:
            return reject(PRODUCT_DISABLED, product="promo", funding=Funding.TOKEN)
        expires_at = self.expires_at or version.policy.promo_expiry(given.now)
        if expires_at is not None and expires_at <= given.now:
            return reject(OFFER_EXPIRED, expired_at=expires_at)
        event = PromoTokensGranted(
            lot_id=given.new_id,
            user=self.user,
            tokens=self.tokens,
            reason=self.reason_code,
            expires_at=expires_at,
            on_agenda=expires_at is not None,
        )
        return (event,)
