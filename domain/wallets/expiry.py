"""Expiry: promotional tokens end, paid tokens lapse. Instants are exclusive and held tokens stay.

A spend looks at the time itself, so it never depends on these events being on time; they only post
what time has done.
"""

from datetime import datetime
from typing import ClassVar

from domain import accounts
from domain.accounts import Assets, Posting
from domain.event import stored_as
from domain.wallets.lot_changes import Cause, LotChange
from domain.wallets.wallet import Lot, LotUse, TokenClass, WalletEvent


class LotEnded(WalletEvent, frozen=True, kw_only=True):
    """The free `tokens` of a lot end at `expires_at`."""

    kind: ClassVar[TokenClass]

    lot_id: str
    user: str
    tokens: int
    expires_at: datetime

    def tags(self) -> tuple[str, ...]:
        return (f"wallet:{self.user}",)

    def lot_changes(self) -> tuple[LotChange, ...]:
        """The lot keeps only what is held of it."""
        lot = LotUse(self.lot_id, "", self.kind, self.tokens, 0)
        return (LotChange(self.user, lot, self.tokens, Cause.EXPIRED),)


@stored_as("promo_tokens.expired.v1")
class PromoTokensExpired(LotEnded, frozen=True):
    """Promotional tokens expired; they had cost nothing yet."""

    kind = TokenClass.PROMO

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`w.free -> supply`."""
        return self.token_postings(assets)


@stored_as("tokens.lapsed.v1")
class TokensLapsed(LotEnded, frozen=True, kw_only=True):
    """Paid tokens lapsed; `released` minor units of their price are breakage."""

    kind = TokenClass.PAID

    released: int

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`w.free -> supply` and `deferred -> rev.breakage`."""
        return (
            *self.token_postings(assets),
            (accounts.DEFERRED, assets.currency, self.released),
            (accounts.BREAKAGE_REVENUE, assets.currency, -self.released),
        )


def end_of_lot(lot: Lot, user: str, tokens: int) -> PromoTokensExpired | TokensLapsed:
    """The end of `tokens` of a lot whose time is over."""
    assert lot.expires_at is not None
    if lot.kind == TokenClass.PROMO:
        return PromoTokensExpired(
            lot_id=lot.lot, user=user, tokens=tokens, expires_at=lot.expires_at
        )
    return TokensLapsed(
        lot_id=lot.lot,
        user=user,
        tokens=tokens,
        expires_at=lot.expires_at,
        released=lot.released(tokens),
    )
