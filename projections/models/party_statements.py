"""The statements of a wallet and of a creator: what each event did to what they have."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from psycopg import sql

from domain.accounts import creator as creator_account
from domain.accounts import wallet_free, wallet_held
from domain.creators.creator import Bucket
from ledger.log import reading
from ledger.log.entry import Entry, decode
from ledger.log.reading import POSITION_MAX
from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from projections.engine.checkpoints import checkpoint
from projections.engine.projection import identifiers, template
from projections.models.journal import Journal

_QUERY = template(sql_files.load("party_lines", "projections")["lines"])
_OLDEST_FIRST, _NEWEST_FIRST = (
    _QUERY.format(**identifiers(Journal.tables), order=sql.SQL(order), beyond=sql.SQL(beyond))
    for order, beyond in (("ASC", ">"), ("DESC", "<"))
)


class LinePlace(NamedTuple):
    """A line of a statement: its position and the number of its account."""

    position: int
    account: int


class LinesAsked(NamedTuple):
    """Which lines of a statement: from one position to another, after a place in that order."""

    limit: int
    first: int = 1
    last: int = POSITION_MAX
    after: LinePlace | None = None
    newest_first: bool = True


class PartyLines(NamedTuple):
    """`items` of a statement, the place of each, and the position that they stand for."""

    items: list[dict[str, Any]]
    places: list[LinePlace]
    as_of_position: int


class _Line(NamedTuple):
    """An event's line of an account; a credit, which is more for the party, is positive."""

    entry: Entry
    account: str
    asset: str
    said: dict[str, Any]


def journal_position(connection: Connection) -> int:
    """Up to where statements go."""
    return checkpoint(connection, Journal.name).position


def wallet_statement(connection: Connection, user: str, asked: LinesAsked) -> PartyLines:
    """What events did to the tokens of `user`.

    A line is one event, class of token and place: `balance` is what is then in that place of that
    class. The counterparty is the creator who is paid or pays back, or else the processor.
    """
    lines, places, position = _lines(connection, [wallet_free(user), wallet_held(user)], asked)
    items = [
        line.said
        | {
            "counterparty": _counterparty(line.entry),
            "item": getattr(line.entry.event(), "item_id", None),
            "place": line.account.rpartition(".")[2],
            "kind": line.asset.rpartition(".")[2],
        }
        for line in lines
    ]
    return PartyLines(items, places, position)


def creator_statement(connection: Connection, creator: str, asked: LinesAsked) -> PartyLines:
    """What events did to what the platform owes `creator`, bucket by bucket.

    Which fan a sale is by is left out: with exact amounts, an alias would tell what each spends.
    """
    accounts = [creator_account(creator, bucket) for bucket in Bucket]
    lines, places, position = _lines(connection, accounts, asked)
    items = []
    for line in lines:
        event = line.entry.event()
        items.append(
            line.said
            | {
                "bucket": line.account.rpartition(".")[2],
                "source": getattr(event, "product", None),
                "item": getattr(event, "item_id", None),
                "sale": getattr(event, "sale_id", None),
                "payout": getattr(event, "payout_id", None),
            }
        )
    return PartyLines(items, places, position)


def _lines(
    connection: Connection, accounts: Sequence[str], asked: LinesAsked
) -> tuple[list[_Line], list[LinePlace], int]:
    first, last, after = asked.first, asked.last, asked.after
    if after is not None and asked.newest_first:
        last = min(last, after.position)
    elif after is not None:
        first = max(first, after.position)
    place = after or LinePlace(0, 0)
    values = {
        "accounts": list(accounts),
        "first": first,
        "last": last,
        "after": place.position,
        "account": place.account,
        "limit": asked.limit,
    }
    query = _NEWEST_FIRST if asked.newest_first else _OLDEST_FIRST
    rows = connection.execute(query, values).fetchall()
    found = [row[1:] for row in rows if row[1] is not None]
    data = reading.entries(connection, [row[0] for row in found])
    told = {position: decode(entry) for position, entry in data.items()}
    lines = [
        _Line(told[position], account, asset, _said(position, told[position], amount, balance))
        for position, _, account, asset, amount, balance in found
    ]
    places = [LinePlace(position, number) for position, number, *_ in found]
    return lines, places, rows[0][0] if rows else 0


def _said(position: int, entry: Entry, amount: int, balance: int) -> dict[str, Any]:
    return {
        "position": position,
        "event_id": entry.event_id,
        "type": entry.type,
        "effective_on": entry.effective_on,
        "recorded_at": entry.recorded_at,
        "amount": -amount,
        "balance": -balance,
    }


def _counterparty(entry: Entry) -> str | None:
    creator: str | None = getattr(entry.event(), "creator", None)
    if creator:
        return creator
    names = [account.split(".") for account, _, _ in entry.postings]
    for family in ("cr", "psp"):
        for name in names:
            if name[0] == family:
                return name[1]
    return None
