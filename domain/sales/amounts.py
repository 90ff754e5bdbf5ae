"""What a sale moves: how its price is divided between creators, platform and tax."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from domain.money import split, split_by_weight, vat_included
from domain.rejections import INSUFFICIENT_TOKENS, Rejection, reject
from domain.sales.sale import PayeeShare
from domain.wallets.wallet import PROMO, LotUse, Wallet


class Amounts(msgspec.Struct, frozen=True, gc=False):
    """What a sale moves, as the fields of `Sale` say it."""

    creator_share: int
    platform_share: int
    payees: tuple[PayeeShare, ...]
    tokens_paid: int = 0
    tokens_promo: int = 0
    released: int = 0
    lots: tuple[LotUse, ...] = ()
    tax: int = 0
    vat_bps: int = 0


def token_amounts(
    wallet: Wallet, tokens: int, creator: str, *, now: datetime, unit_value: int, bps: int
) -> Amounts | Rejection:
    """The amounts of a sale for `tokens`: what the lots release, what the creator gets."""
    uses = wallet.take(tokens, now)
    if uses is None:
        current = wallet.spendable(now)
        return reject(
            INSUFFICIENT_TOKENS, required=tokens, current=current, shortfall=tokens - current
        )
    released = promo = 0
    for use in uses:
        released += use.released
        if use.kind == PROMO:
            promo += use.tokens
    share, _ = split(tokens * unit_value, bps)
    paid_part = split_by_weight(share, tokens - promo, promo)[0] if promo else share
    payees = (PayeeShare(creator, share, paid_part, share - paid_part),)
    return Amounts(share, released - paid_part, payees, tokens - promo, promo, released, uses)


def card_amounts(
    paid: int, payees: Sequence[tuple[str, int]], *, bps: int, vat_bps: int
) -> Amounts:
    """The amounts of a sale by card: tax first, then creators and commission.

    `payees`: (creator, weight); several share what is the creators' by weight.
    """
    tax = vat_included(paid, vat_bps)
    share, commission = split(paid - tax, bps)
    return Amounts(
        share, commission, divided(share, payees), tax=tax, vat_bps=vat_bps if tax else 0
    )


def divided(share: int, payees: Sequence[tuple[str, int]]) -> tuple[PayeeShare, ...]:
    """`share` by weight: successive splits in two, in the order of the creators' ids."""
    if len(payees) == 1:
        return (PayeeShare(payees[0][0], share),)
    parts = []
    rest = sum(weight for _, weight in payees)
    for creator, weight in sorted(payees):
        rest -= weight
        part, share = split_by_weight(share, weight, rest)
        parts.append(PayeeShare(creator, part))
    return tuple(parts)
