"""Who the parties of sales and purchases are, for registers whose events do not say it."""

from collections.abc import Collection
from typing import NamedTuple

from domain.purchases.purchase import TokensPurchased
from domain.sales.sale import Sale
from ledger.log import reading
from ledger.log.entry import decode
from ledger.postgres.database import Connection


class Parties(NamedTuple):
    """Who pays, and who is paid: None where the platform itself sells."""

    user: str
    creator: str | None = None
    funding: str | None = None


def parties_of(connection: Connection, tags: Collection[str], until: int) -> dict[str, Parties]:
    """The parties of sales and purchases by their tags; what is none by then is left out."""
    found: dict[str, Parties] = {}
    if not tags:
        return found
    for tag, _, data in reading.histories(connection, sorted(tags), until):
        if tag in found:
            continue
        match decode(data).event():
            case Sale() as sale:
                found[tag] = Parties(sale.buyer, sale.creator or None, sale.funding)
            case TokensPurchased() as purchase:
                found[tag] = Parties(purchase.user)
    return found
