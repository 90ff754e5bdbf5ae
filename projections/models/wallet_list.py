"""The list of wallets, by user or by what is free in them or was spent from them."""

from itertools import product
from typing import Any, Literal

from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from projections.engine.projection import identifiers, template
from projections.engine.ranks import RankPlace, beginning, ranked
from projections.models.wallets import Wallets, shown_wallet

WalletOrder = Literal["user", "free", "spent"]
_VALUES: dict[WalletOrder, str | None] = {
    "user": None,
    "free": "(free_paid + free_promo)",
    "spent": "spent",
}
_QUERY = template(sql_files.load("wallet_list", "projections")["list"])
_QUERIES = {
    (by, largest): _QUERY.format(
        **identifiers(Wallets.tables), **ranked(value, "user_id", largest_first=largest)
    )
    for (by, value), largest in product(_VALUES.items(), (True, False))
}


def wallets(
    connection: Connection,
    *,
    order_by: WalletOrder = "user",
    after: RankPlace | None = None,
    largest_first: bool = False,
    limit: int,
) -> tuple[list[dict[str, Any]], list[RankPlace], int]:
    """Wallets, the place of each in the list, and the position that they stand for."""
    place = after or beginning(largest_first=largest_first)
    values = {"after_value": place.value, "after_name": place.name, "limit": limit}
    rows = connection.execute(_QUERIES[order_by, largest_first], values).fetchall()
    found = [row[1:] for row in rows if row[2] is not None]
    items = [shown_wallet(user, figures) for _, user, *figures in found]
    places = [RankPlace(row[0], row[1]) for row in found]
    return items, places, rows[0][0] if rows else 0
