"""Corrections: which postings a person may propose, and what they mean for wallets and creators.

A person names accounts and amounts; this module says whether that is sound. Tokens only move
together with the money that was paid for them: what a wallet gives back releases its part of
`deferred`, and what a wallet receives is a new lot that takes over what is then left there.
"""

import re
from collections.abc import Iterable
from datetime import datetime

import msgspec

from domain import accounts
from domain.accounts import Assets, Posting
from domain.money import AMOUNT_MAX, portion
from domain.rejections import (
    CURRENCY_MISMATCH,
    INSUFFICIENT_TOKENS,
    INVALID_AMOUNT,
    UNBALANCED,
    Rejection,
    reject,
)
from domain.wallets.wallet import Lot, LotUse, TokenClass, Wallet

_ID = r"[A-Za-z0-9_-]{1,64}"
_MONEY = re.compile(
    rf"(bank|deferred|suspense|disputed|psp\.{_ID}|fan_debt\.{_ID}|cr\.{_ID}\.available"
    r"|(vat|withheld)\.[A-Z]{2}|rev\.(commission|margin|usage|fee|breakage)"
    r"|exp\.(processor|dispute|promo|baddebt|goodwill))"
)
_TOKENS = re.compile(rf"(supply|w\.{_ID}\.free)")
_ELSEWHERE = re.compile(rf"(w\.{_ID}\.held|cr\.{_ID}\.(pending|reserved|payout))")


class Effect(msgspec.Struct, frozen=True):
    """What postings do to states besides moving money: lots taken and made, by user."""

    taken: dict[str, tuple[LotUse, ...]] = {}
    made: dict[str, tuple[Lot, ...]] = {}


def problem(account: str) -> str | None:
    """Why no adjustment may name this account; None if one may."""
    if _MONEY.fullmatch(account) or _TOKENS.fullmatch(account):
        return None
    if _ELSEWHERE.fullmatch(account):
        return "moves only by the commands of its own"
    return "is no account of the chart"


def users(legs: Iterable[Posting]) -> list[str]:
    """Whose tokens or debts the postings move, in the order of their ids."""
    kinds = ("w.", "fan_debt.")
    return sorted({account.split(".")[1] for account, *_ in legs if account.startswith(kinds)})


def debt(legs: Iterable[Posting], user: str) -> int:
    """By how much the postings change what `user` owes."""
    owed = accounts.fan_debt(user)
    return sum(amount for account, _, amount in legs if account == owed)


def written_off(legs: Iterable[Posting]) -> dict[str, int]:
    """What the postings write off of each user's debt as bad debt; negative, what they take back.

    Of several users the first by id come first.
    """
    legs = tuple(legs)
    expense = sum(amount for account, _, amount in legs if account == accounts.BAD_DEBT_EXPENSE)
    found: dict[str, int] = {}
    for user in users(legs):
        credit = -debt(legs, user)
        if expense > 0:
            found[user] = max(0, min(credit, expense))
        else:
            found[user] = min(0, max(credit, expense))
        expense -= found[user]
    return found


def creators(legs: Iterable[Posting]) -> dict[str, int]:
    """By how much each creator's available balance changes."""
    changes: dict[str, int] = {}
    for account, _, amount in legs:
        if account.startswith("cr."):
            creator = account.split(".")[1]
            changes[creator] = changes.get(creator, 0) - amount
    return dict(sorted(changes.items()))


def refusal(legs: Iterable[Posting], assets: Assets) -> Rejection | None:
    """Rejection of assets that are not the book's or the account's, of sums that are not 0, and of
    more in all than any other command could move: read models add it up in 64 bits."""
    totals: dict[str, int] = {}
    moved: dict[str, int] = {}
    for account, asset, amount in legs:
        money = _MONEY.fullmatch(account) is not None
        allowed = (assets.currency,) if money else (assets.paid, assets.promo)
        if asset not in allowed:
            return reject(CURRENCY_MISMATCH, expected=" or ".join(allowed), given=asset)
        totals[asset] = totals.get(asset, 0) + amount
        moved[asset] = moved.get(asset, 0) + max(0, amount)
    for amount in moved.values():
        if amount > AMOUNT_MAX:
            return reject(INVALID_AMOUNT, field="postings", amount=amount, limit=AMOUNT_MAX)
    for asset, total in totals.items():
        if total:
            return reject(UNBALANCED, account="the sum", asset=asset, difference=total)
    return None


def effect(
    legs: tuple[Posting, ...],
    assets: Assets,
    wallets: dict[str, Wallet],
    *,
    now: datetime,
    lot_id: str,
    made_by: str,
) -> Effect | Rejection:
    """What balanced postings do to lots, or why they cannot: tokens that are not there, money
    that is not what the lots release.
    """
    sums: dict[tuple[str, str], int] = {}
    for account, asset, amount in legs:
        sums[account, asset] = sums.get((account, asset), 0) + amount
    taken: dict[str, tuple[LotUse, ...]] = {}
    for user, wallet in wallets.items():
        uses: tuple[LotUse, ...] = ()
        for asset, kind in ((assets.promo, TokenClass.PROMO), (assets.paid, TokenClass.PAID)):
            wanted = max(0, sums.get((accounts.wallet_free(user), asset), 0))
            found = _of_kind(wallet, kind).take(wanted, now)
            if found is None:
                current = _of_kind(wallet, kind).spendable(now)
                return reject(
                    INSUFFICIENT_TOKENS,
                    required=wanted,
                    current=current,
                    shortfall=wanted - current,
                )
            uses += found
        if uses:
            taken[user] = uses
    released = sum(use.released for uses in taken.values() for use in uses)
    left = released - sums.get((accounts.DEFERRED, assets.currency), 0)
    made = _made(sums, assets, wallets, price=left, lot_id=lot_id, made_by=made_by)
    buys = any(lot.kind == TokenClass.PAID for lots in made.values() for lot in lots)
    if left < 0 or (left and not buys):
        return reject(
            UNBALANCED, account=accounts.DEFERRED, asset=assets.currency, difference=-left
        )
    return Effect(taken, made)


def _of_kind(wallet: Wallet, kind: str) -> Wallet:
    return Wallet(lots=tuple(lot for lot in wallet.lots if lot.kind == kind))


def _made(
    sums: dict[tuple[str, str], int],
    assets: Assets,
    wallets: Iterable[str],
    *,
    price: int,
    lot_id: str,
    made_by: str,
) -> dict[str, tuple[Lot, ...]]:
    """New lots of the wallets that receive tokens; those of class PAID share `price`."""
    made: dict[str, tuple[Lot, ...]] = {}
    paid = {user: -sums.get((accounts.wallet_free(user), assets.paid), 0) for user in wallets}
    whole = sum(tokens for tokens in paid.values() if tokens > 0)
    before = 0
    for nth, user in enumerate(wallets):
        lots: tuple[Lot, ...] = ()
        if paid[user] > 0:
            after = before + paid[user]
            part = portion(price, after, whole) - portion(price, before, whole)
            lots += (Lot(f"{lot_id}_{made_by}p{nth}", lot_id, TokenClass.PAID, paid[user], part),)
            before = after
        promo = -sums.get((accounts.wallet_free(user), assets.promo), 0)
        if promo > 0:
            lots += (Lot(f"{lot_id}_{made_by}b{nth}", lot_id, TokenClass.PROMO, promo, 0),)
        if lots:
            made[user] = lots
    return made
