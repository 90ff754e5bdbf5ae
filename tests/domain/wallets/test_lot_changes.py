"""A movement of tokens is declared once; whoever has to know of it cannot overlook it."""

import pytest

from domain.accounts import SUPPLY, Assets, Posting, wallet_free
from domain.reversals.purchase_usage import PurchaseUsage, is_used_without_sale
from domain.wallets.lot_changes import ROUTES, Cause, LotChange
from domain.wallets.wallet import Lot, LotUse, TokenClass, Wallet, WalletEvent
from projections.models.wallets import lifetime_figure
from tests.domain.declared_movements import check_movements

ASSETS = Assets.of("demo", "USD")
BONUS = Lot("buy1b", "buy1", TokenClass.PROMO, 100, 0)
ANN = {"wallet:ann": Wallet(lots=(BONUS,))}


class TokensBurnt(WalletEvent, frozen=True, kw_only=True):
    """A movement of the future: `tokens` of Ann's bonus are gone, for `cause` if it says so."""

    tokens: int
    cause: Cause | None = None

    def tags(self) -> tuple[str, ...]:
        return ("wallet:ann",)

    def lot_changes(self) -> tuple[LotChange, ...]:
        if self.cause is None:
            return ()
        lot = LotUse("buy1b", "buy1", TokenClass.PROMO, self.tokens, 0)
        return (LotChange("ann", lot, self.tokens, self.cause),)

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        return (
            (wallet_free("ann"), assets.promo, self.tokens),
            (SUPPLY, assets.promo, -self.tokens),
        )


def test_a_movement_that_is_posted_and_not_declared_is_found() -> None:
    with pytest.raises(AssertionError):
        check_movements(TokensBurnt(tokens=5), ASSETS, ANN)


def test_a_declared_movement_changes_wallet_postings_and_usage_alike() -> None:
    burnt = TokensBurnt(tokens=5, cause=Cause.DEBITED)
    check_movements(burnt, ASSETS, ANN)
    after = burnt.in_wallet(ANN["wallet:ann"], "ann")
    assert after.lots == (BONUS.after(5),)
    assert burnt.token_postings(ASSETS) == burnt.postings(ASSETS)
    assert PurchaseUsage().apply("trail:ann:buy1", burnt).bonus_used == 5
    assert PurchaseUsage().apply("trail:ann:buy2", burnt).bonus_used == 0


def test_what_is_spent_is_spent_by_a_sale() -> None:
    with pytest.raises(TypeError):
        PurchaseUsage().apply("trail:ann:buy1", TokensBurnt(tokens=5, cause=Cause.SPENT))


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_is_decided_about(cause: Cause) -> None:
    assert cause in ROUTES
    if cause != Cause.SPENT:
        assert is_used_without_sale(cause) in (True, False)
    for kind in TokenClass:
        lifetime_figure(cause, kind)


def test_what_comes_in_again_stands_at_its_place_with_what_was_left() -> None:
    first = Lot("buy1", "buy1", TokenClass.PAID, 10, 100, consumed=10)
    second = Lot("buy2", "buy2", TokenClass.PAID, 10, 100, consumed=4)
    wallet = Wallet(lots=(second,)).changed([LotChange("ann", first, 3, Cause.RESTORED)])
    assert wallet.lots == (Lot("buy1", "buy1", TokenClass.PAID, 10, 100, consumed=7), second)


def test_a_movement_taken_back_leaves_nothing_behind() -> None:
    use = LotUse("buy1b", "buy1", TokenClass.PROMO, 30, 0)
    held = ANN["wallet:ann"].changed([LotChange("ann", use, 30, Cause.HELD)])
    assert held.lots[0].held == 30
    assert held.changed([LotChange("ann", use, -30, Cause.HELD)]) == ANN["wallet:ann"]
