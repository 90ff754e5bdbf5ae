"""Explanations: the events that a figure of a view is made of, with the running sum.

The part that an event has in a figure is found by the read model's own fold, given that one event:
what explains a figure cannot disagree with what made it. A figure's events are found by the tag of
whoever it belongs to; those of a balance are the account's lines in the journal.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from psycopg import Cursor

from domain.accounts import Assets
from ledger.log import reading
from ledger.log.entry import Entry, decode
from ledger.postgres.database import Connection
from projections.engine.checkpoints import checkpoint
from projections.engine.entries import PlacedEntry, decoded
from projections.engine.projection import bound
from projections.models.account_statements import AccountKey
from projections.models.earnings import BUCKETS, FIGURES, Earnings
from projections.models.journal import Journal
from projections.models.wallets import Wallets

#: Entries that one page looks through for those that have a part in the figure.
LOOKED_AT_MAX = 2_000
WALLET_FIGURES = (
    "free.paid", "free.promo", "held.paid", "held.promo", "lifetime.purchased", "lifetime.granted",
    "lifetime.spent", "lifetime.refunded", "lifetime.expired",
)  # fmt: skip
_NET = "net"
SQL = bound("explain", Journal.tables)

#: What one event adds to a figure; the cursor is for looking at what came before it.
Part = Callable[[PlacedEntry, Cursor[Any]], int]


class UnknownFigure(ValueError):
    """There is no figure of this name."""


class ViewFigure(NamedTuple):
    """A number of a view: of which read model, in which asset (None: a count, or tokens of both
    classes), whose events, and what each of them adds to it."""

    model: str
    asset: str | None
    tag: str
    part: Part


class ExplainedPart(NamedTuple):
    """What an event adds, and the sum of it and all before it."""

    position: int
    amount: int
    running: int


class Explained(NamedTuple):
    """Parts in the order of the log, up to where they were looked for; `place`: where it goes on
    and with which sum, None at the end."""

    parts: list[tuple[ExplainedPart, Entry]]
    sum: int
    place: tuple[int, int] | None


def figure(name: str, assets: Assets) -> ViewFigure | AccountKey:
    """The figure that `name` names: `wallet:USER:free.paid`, `earnings:CREATOR:available`,
    `earnings:CREATOR:tip.net`, `balance:ACCOUNT:ASSET`. Raises UnknownFigure."""
    kind, _, rest = name.partition(":")
    whose, _, which = rest.partition(":")
    if not whose or not which:
        raise UnknownFigure("must be like wallet:USER:free.paid, earnings:CREATOR:available, "
                            "earnings:CREATOR:tip.net or balance:ACCOUNT:ASSET")  # fmt: skip
    match kind:
        case "wallet":
            return _of_wallet(whose, which, assets)
        case "earnings":
            return _of_earnings(whose, which, assets)
        case "balance":
            return AccountKey(whose, which)
        case _:
            raise UnknownFigure("must begin with wallet, earnings or balance")


def explain(
    connection: Connection,
    of: ViewFigure | AccountKey,
    *,
    until: int,
    place: tuple[int, int] = (0, 0),
    limit: int,
) -> Explained:
    """At most `limit` parts after a place, up to a position that the read model has reached."""
    after, running = place
    if isinstance(of, AccountKey):
        found, looked_until = _lines(connection, of, after, until, limit)
    else:
        found, looked_until = _parts(connection, of, after, until, limit)
    parts = []
    for position, amount, data in found:
        running += amount
        parts.append((ExplainedPart(position, amount, running), decode(data)))
    return Explained(parts, running, None if looked_until is None else (looked_until, running))


def reached(connection: Connection, of: ViewFigure | AccountKey) -> int:
    """Up to where the view is kept to which the figure belongs."""
    return checkpoint(connection, Journal.name if isinstance(of, AccountKey) else of.model).position


#: Positions, amounts and entries, and up to where they were looked for if there may be more.
Found = tuple[list[tuple[int, int, bytes]], int | None]


def _lines(connection: Connection, of: AccountKey, after: int, until: int, limit: int) -> Found:
    asked = {**of._asdict(), "after": after, "until": until, "limit": limit + 1}
    lines = connection.execute(SQL["lines"], asked).fetchall()
    entries = reading.entries(connection, [position for position, _ in lines[:limit]])
    found = [(position, amount, entries[position]) for position, amount in lines[:limit]]
    return found, lines[limit - 1][0] if len(lines) > limit else None


def _parts(connection: Connection, of: ViewFigure, after: int, until: int, limit: int) -> Found:
    rows = reading.listing(
        connection, tag=of.tag, after=after, until=until, limit=LOOKED_AT_MAX + 1
    )
    looked = rows[:LOOKED_AT_MAX]
    found: list[tuple[int, int, bytes]] = []
    with connection.cursor() as cursor:
        for (position, data), entry in zip(looked, decoded(looked, bodies=True), strict=True):
            amount = of.part(entry, cursor)
            if amount and len(found) == limit:
                return found, found[-1][0]
            if amount:
                found.append((position, amount, data))
    return found, rows[LOOKED_AT_MAX - 1][0] if len(rows) > LOOKED_AT_MAX else None


def _of_wallet(user: str, which: str, assets: Assets) -> ViewFigure:
    if which not in WALLET_FIGURES:
        raise UnknownFigure(f"a wallet's are {', '.join(WALLET_FIGURES)}")
    column = WALLET_FIGURES.index(which)
    wallets = Wallets()

    def part(entry: PlacedEntry, _: Cursor[Any]) -> int:
        wallets.forget()
        wallets.fold([entry])
        return wallets.sums(user)[column]

    asset = {"paid": assets.paid, "promo": assets.promo}.get(which.partition(".")[2])
    return ViewFigure(Wallets.name, asset, f"wallet:{user}", part)


def _of_earnings(creator: str, which: str, assets: Assets) -> ViewFigure:
    earnings = Earnings()
    source, _, name = which.rpartition(".")
    if not (which == "lifetime_earned" or which in BUCKETS or (source and name == _NET)):
        # What a loss leaves a creator is changed by events that name the sale and no creator.
        raise UnknownFigure(
            f"a creator's are {', '.join(BUCKETS)}, lifetime_earned, and of a source tip.net"
        )

    def part(entry: PlacedEntry, cursor: Cursor[Any]) -> int:
        earnings.forget()
        earnings.fold([entry])
        if which in BUCKETS:
            return earnings.owed(creator)[BUCKETS.index(which)]
        earnings.look_back(cursor)
        if which == "lifetime_earned":
            return earnings.net(creator)
        return earnings.source(creator, source)[FIGURES.index(_NET)]

    return ViewFigure(Earnings.name, assets.currency, f"creator:{creator}", part)
