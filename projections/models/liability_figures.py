"""The questions of unspent tokens: what they oblige the platform to, and which lots a user has."""

from datetime import date, timedelta
from typing import Any

from domain.accounts import BREAKAGE_REVENUE, DEFERRED, SUPPLY, Assets
from domain.money import split
from domain.policy import Policy
from domain.wallets.wallet import Lot, TokenClass
from ledger.postgres.database import Connection
from projections.engine.projection import bound
from projections.models.liability import Liability
from projections.models.trial_balance import balance

#: Ranges of age in days: the first is up to the day before the first bound.
AGES = ("0-30", "31-90", "91-180", "181-365", "366+")
_BOUNDS = [31, 91, 181, 366]
SOON = timedelta(days=30)
#: Days on which lots and postings differ that one answer names.
DAYS_MAX = 31

SQL = bound("liability_figures", Liability.tables)


class JournalBehind(Exception):
    """The journal has not reached the position that it is compared at."""


def liability(
    connection: Connection, assets: Assets, policy: Policy | None, today: date
) -> dict[str, Any]:
    """Tokens in all wallets by class and age at `today`, and what they oblige to.

    `exposure`: what creators would get if all paid tokens were spent, at the policy's default
    share. `tie_out` holds the lots against the journal as of the same position, in all and day by
    day. Raises JournalBehind where that is not there yet.
    """
    values = {"today": today, "ages": _BOUNDS, "soon": today + SOON, "days": DAYS_MAX}
    rows = connection.execute(SQL["liability"], values).fetchall()
    position = rows[0][0] if rows else 0
    parts: dict[str, list[tuple[Any, ...]]] = {"age": [], "end": [], "differs": []}
    for _, part, *row in rows:
        if part is not None:
            parts[part].append(tuple(row))
    classes = [
        {"kind": kind, "age": AGES[age], "tokens": tokens, "deferred": deferred}
        for kind, age, _, tokens, deferred in parts["age"]
        if tokens or deferred
    ]
    expiring = [
        {"date": day, "kind": kind, "tokens": tokens, "deferred": deferred}
        for kind, _, day, tokens, deferred in parts["end"]
    ]
    outstanding = sum(each["tokens"] for each in classes)
    deferred = sum(each["deferred"] for each in classes)
    paid = sum(each["tokens"] for each in classes if each["kind"] == TokenClass.PAID)
    there = _balances(connection, assets, position)
    differing = [
        {"date": day, "tokens": tokens, "deferred": amount}
        for _, _, day, tokens, amount in parts["differs"]
    ]
    money, tokens = deferred - there["deferred"], outstanding - there["tokens"]
    return {
        "classes": classes,
        "outstanding": outstanding,
        "deferred": deferred,
        "exposure": _exposure(paid, policy),
        "expiring_30_days": sum(each["tokens"] for each in expiring),
        "expiring": expiring,
        "breakage": there["breakage"],
        "tie_out": {
            "ok": not (money or tokens or differing),
            "difference": money,
            "tokens_difference": tokens,
            "days": differing,
        },
        "as_of_position": position,
    }


def _balances(connection: Connection, assets: Assets, position: int) -> dict[str, int]:
    """What the journal says at a position, each on its own side."""

    def of(account: str, asset: str) -> int:
        found = balance(connection, account, asset, position=position)
        if found["as_of_position"] < position:
            raise JournalBehind
        return int(found["balance"])

    return {
        "deferred": -of(DEFERRED, assets.currency),
        "tokens": of(SUPPLY, assets.paid) + of(SUPPLY, assets.promo),
        "breakage": -of(BREAKAGE_REVENUE, assets.currency),
    }


def _exposure(paid: int, policy: Policy | None) -> int:
    if policy is None or policy.unit_value is None:
        return 0
    return split(paid * policy.unit_value, policy.revenue_share.default)[0]


def lots_of(connection: Connection, user: str) -> dict[str, Any]:
    """The lots of which `user` has something left, in the order in which they are spent."""
    rows = connection.execute(SQL["lots"], (user,)).fetchall()
    held = [(Lot(*values), since) for _, since, *values in rows if since is not None]
    return {
        "user": user,
        "items": [
            {
                "lot": lot.lot,
                "purchase": lot.purchase,
                "kind": lot.kind,
                "tokens": lot.tokens,
                "left": lot.left,
                "held": lot.held,
                "price": lot.price,
                "released": lot.price - lot.released(lot.left),
                "since": since,
                "expires_at": lot.expires_at,
            }
            for lot, since in sorted(held, key=lambda each: each[0].order())
        ],
        "as_of_position": rows[0][0] if rows else 0,
    }
