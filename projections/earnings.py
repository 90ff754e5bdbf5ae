"""Creator earnings: what each creator is owed, by bucket, and what it was earned with.

Balances come from the postings on the accounts `cr.<creator>.<bucket>`, so they hold for every
event. The sources come from sales, net of what later events take back. A sale's gross, tax and
tokens are divided among several payees as their shares are, by successive two-way splits.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from psycopg import Cursor

from domain.money import split_by_weight
from domain.sale import Payee, Sale
from ledger.database import Connection
from projections.by_class import ByClass
from projections.projection import Projection, Table, integers, texts
from projections.record import Recorded

_BUCKETS = {"pending": 0, "available": 1, "reserved": 2, "payout": 3}


class Line(msgspec.Struct, frozen=True):
    """What an event adds to one creator's source. gross = tax + commission + net."""

    creator: str
    source: str
    count: int
    gross: int
    tax: int
    commission: int
    net: int
    tokens: int


lines: ByClass[Callable[[Any], Sequence[Line]]] = ByClass(lambda _event: ())
"""What an event adds to creators' sources; negative where it takes back."""


@lines.branch(Sale)
def _sold(event: Sale) -> Sequence[Line]:
    if len(event.payees) > 1:
        return list(_divided(event))
    paid = event.gross - event.discount
    return (
        Line(
            event.payees[0].creator if event.payees else event.creator,
            event.product,
            1,
            paid,
            event.tax,
            paid - event.tax - event.creator_share,
            event.creator_share,
            event.tokens_paid + event.tokens_promo,
        ),
    )


def _divided(event: Sale) -> Iterator[Line]:
    """One line per payee; the last one's weight takes what is left."""
    gross, tax = event.gross - event.discount, event.tax
    tokens = event.tokens_paid + event.tokens_promo
    for payee, share, rest in _weights(event.payees):
        gross_part, gross = split_by_weight(gross, share, rest)
        tax_part, tax = split_by_weight(tax, share, rest)
        tokens_part, tokens = split_by_weight(tokens, share, rest)
        commission = gross_part - tax_part - payee.share
        yield Line(
            payee.creator, event.product, 1, gross_part, tax_part, commission, payee.share,
            tokens_part,
        )  # fmt: skip


def _weights(payees: Sequence[Payee]) -> Iterator[tuple[Payee, int, int]]:
    """Each payee's share and that of those who follow; equal ones where nobody gets anything."""
    shares = [payee.share for payee in payees]
    if not any(shares):
        shares = [1] * len(shares)
    rest = sum(shares)
    for payee, share in zip(payees, shares, strict=True):
        whole, rest = rest, rest - share
        yield payee, (share if whole else 1), rest


class Earnings(Projection):
    """Money by creator."""

    name = "earnings"
    version = 1
    tables = (Table("creators", ("creator",)), Table("creator_sources", ("creator", "source")))

    def forget(self) -> None:
        """Drop the sums."""
        self._balances: dict[str, list[int]] = {}
        self._sources: dict[tuple[str, str], list[int]] = {}

    def fold(self, page: Sequence[Recorded]) -> None:
        """Sum up what the page adds to each creator and source."""
        balances, sources = self._balances, self._sources
        for recorded in page:
            for account, _, amount in recorded.postings:
                if account[:3] == "cr.":
                    creator, _, bucket = account[3:].partition(".")
                    balance = balances.get(creator)
                    if balance is None:
                        balance = balances[creator] = [0, 0, 0, 0]
                    balance[_BUCKETS[bucket]] -= amount
            event = recorded.event
            for line in lines[type(event)](event):  # type: ignore[index]
                key = line.creator, line.source
                source = sources.get(key)
                if source is None:
                    source = sources[key] = [0] * 6
                source[0] += line.count
                source[1] += line.gross
                source[2] += line.tax
                source[3] += line.commission
                source[4] += line.net
                source[5] += line.tokens

    def write(self, cursor: Cursor[Any]) -> None:
        """Add the sums to the tables."""
        if self._balances:
            creators = sorted(self._balances)
            buckets = zip(*(self._balances[creator] for creator in creators), strict=True)
            cursor.execute(self.sql["add_balances"], (texts(creators), *map(integers, buckets)))
            self._balances = {}
        if self._sources:
            keys = sorted(self._sources)
            names = [texts(column) for column in zip(*keys, strict=True)]
            figures = zip(*(self._sources[key] for key in keys), strict=True)
            cursor.execute(self.sql["add_sources"], (*names, *map(integers, figures)))
            self._sources = {}


_sql = Earnings().sql


def earnings(connection: Connection, creator: str, currency: str) -> dict[str, Any]:
    """What `creator` earned, in minor units of the book's `currency`; zeros if never seen."""
    row = connection.execute(_sql["earnings"], (creator,)).fetchone()
    position, pending, available, reserved, in_payout, sources = row or (0, *[None] * 5)
    return {
        "creator": creator,
        "currency": currency,
        "pending": pending or 0,
        "available": available or 0,
        "reserved": reserved or 0,
        "in_payout": in_payout or 0,
        "lifetime_earned": sum(source["net"] for source in sources or ()),
        "by_source": sources or [],
        "as_of_position": position,
    }


def top_creators(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """The creators who have earned most."""
    rows = connection.execute(_sql["top"], (limit,))
    return [{"creator": name, "net": net, "count": count} for name, net, count in rows]
