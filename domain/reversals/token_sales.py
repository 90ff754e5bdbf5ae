"""Tokens that come back to a wallet: as lots of their own, at the place of the lot they were of.

A returned lot is priced at what its tokens had released, so over all lots nothing is released
twice. It keeps its purchase, its place in the spending order (ids begin with that of the first
lot) and the time at which it ends.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

import msgspec

from domain.agenda import AgendaItem, ending
from domain.money import portion, split_by_weight
from domain.reversals.card_sales import among_payees
from domain.sales.sale import Sale, SaleRecord
from domain.wallets.wallet import Lot, LotUse, TokenClass, Wallet


class LotReturned(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """`tokens` of the lot `origin`, back as `lot`; `lapsed` promotional ones are not revived."""

    origin: str
    lot: str
    purchase: str
    kind: str
    tokens: int
    price: int
    expires_at: datetime | None = None
    lapsed: bool = False

    def as_lot(self) -> Lot:
        """The lot that comes back."""
        return Lot(
            self.lot, self.purchase, self.kind, self.tokens, self.price, expires_at=self.expires_at
        )


def returned_lot(use: LotUse, by: str, nth: int, *, tokens: int, price: int) -> LotReturned:
    """`tokens` of a lot's part in a sale come back for `price`; `by` is what returns them."""
    first = use.lot.partition("_")[0]
    return LotReturned(
        origin=use.lot,
        lot=f"{first}_{by}_{nth}",
        purchase=use.purchase,
        kind=use.kind,
        tokens=tokens,
        price=price,
        expires_at=use.expires_at,
    )


def joining(
    lots: tuple[LotReturned, ...], wallet: Wallet, now: datetime
) -> tuple[LotReturned, ...]:
    """`lots`, as parts of returned lots of the same purchase where there are many in `wallet`.

    At one place, with one end: they differ in nothing, and what they release adds up.
    """
    if not wallet.may_join(now):
        return lots
    known = {_place(lot): lot.lot for lot in wallet.lots if "_" in lot.lot}
    return tuple(
        lot
        if lot.lapsed
        else msgspec.structs.replace(lot, lot=known.setdefault(_place(lot), lot.lot))
        for lot in lots
    )


def _place(lot: "EndingLot") -> tuple[str, str, str, datetime | None]:
    return lot.lot.partition("_")[0], lot.purchase, lot.kind, lot.expires_at


class EndingLot(Protocol):
    """Tokens of one class that have one end."""

    @property
    def lot(self) -> str:
        """Its lot."""

    @property
    def purchase(self) -> str:
        """What the lot came in with."""

    @property
    def kind(self) -> str:
        """PAID or PROMO."""

    @property
    def expires_at(self) -> datetime | None:
        """When they end, if they do."""


def ends(user: str, lots: Iterable[EndingLot]) -> tuple[AgendaItem, ...]:
    """The ends of lots that are free again, as they stand on the agenda."""
    return tuple(
        item
        for lot in lots
        for item in ending(
            lot.lot,
            "expire-promo" if lot.kind == TokenClass.PROMO else "lapse-tokens",
            user,
            lot.expires_at,
        )
    )


class TokenRefund(msgspec.Struct, frozen=True):
    """What a refund of tokens undoes of a sale."""

    lots: tuple[LotReturned, ...]
    released: int
    promo_part: int
    clawed: tuple[int, ...]


def refundable(record: SaleRecord) -> tuple[int, ...]:
    """Tokens of each lot of a sale that a refund could return."""
    sale = record.sale
    assert sale is not None
    return tuple(use.tokens - back for use, back in zip(sale.lots, record.returned, strict=True))


def token_refund(record: SaleRecord, tokens: int, refund_id: str, now: datetime) -> TokenRefund:
    """Return `tokens` of a sale, from the lots last consumed first."""
    sale = record.sale
    assert sale is not None
    lots, after = [], list(record.returned)
    left = refundable(record)
    for nth in reversed(range(len(sale.lots))):
        use, back = sale.lots[nth], min(tokens, left[nth])
        if not back:
            continue
        tokens -= back
        after[nth] += back
        price = released_by(use, after[nth]) - released_by(use, record.returned[nth])
        lot = returned_lot(use, refund_id, nth, tokens=back, price=price)
        if use.kind == TokenClass.PROMO and use.expires_at is not None and use.expires_at <= now:
            lot = msgspec.structs.replace(lot, lapsed=True)
        lots.append(lot)
    before, owed = _creators(sale, record.returned), _creators(sale, tuple(after))
    clawed = tuple(owing - had for owing, had in zip(owed, before, strict=True))
    promo_part = sum(_promo(sale, tuple(after))) - sum(_promo(sale, record.returned))
    return TokenRefund(tuple(lots), sum(lot.price for lot in lots), promo_part, clawed)


def released_by(use: LotUse, tokens: int) -> int:
    """What the first `tokens` of a lot's part in a sale released of the lot's price."""
    return portion(use.released, tokens, use.tokens)


def still_owned(record: SaleRecord) -> tuple[int, ...]:
    """What each payee still has of its share of a token sale."""
    sale = record.sale
    assert sale is not None
    return tuple(
        payee.share - clawed - sum(charge.shares[nth] for charge in record.charges)
        for nth, (payee, clawed) in enumerate(zip(sale.payees, record.clawed, strict=True))
    )


def paid_parts_left(record: SaleRecord) -> tuple[int, ...]:
    """What paid tokens bear of each payee's share, refunds deducted."""
    sale = record.sale
    assert sale is not None
    promo = _promo(sale, record.returned)
    return tuple(
        max(0, payee.paid_part - clawed + back)
        for payee, clawed, back in zip(sale.payees, record.clawed, promo, strict=True)
    )


def _creators(sale: Sale, returned: tuple[int, ...]) -> tuple[int, ...]:
    """The creators' part of the tokens returned in all."""
    tokens = sale.tokens_paid + sale.tokens_promo
    if not tokens:
        return (0,) * len(sale.payees)
    back = sum(returned)
    return among_payees(sale, split_by_weight(sale.creator_share, back, tokens - back)[0])


def _promo(sale: Sale, returned: tuple[int, ...]) -> tuple[int, ...]:
    """What of each payee's promotional part belongs to the tokens returned in all."""
    back = sum(
        tokens
        for use, tokens in zip(sale.lots, returned, strict=True)
        if use.kind == TokenClass.PROMO
    )
    if not sale.tokens_promo:
        return (0,) * len(sale.payees)
    kept = sale.tokens_promo - back
    return tuple(split_by_weight(payee.promo_part, back, kept)[0] for payee in sale.payees)
