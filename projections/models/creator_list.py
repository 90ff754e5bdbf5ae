"""The list of creators, and whether one can be paid out now."""

from datetime import datetime
from itertools import product
from typing import Any, Literal

from domain.creators.creator import Creator
from domain.payouts.commands import payout_refusals
from ledger.log import reading
from ledger.log.policies import policy_in_force
from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from ledger.write.state_loading import read_state
from projections.engine.projection import identifiers, template
from projections.engine.ranks import RankPlace, beginning, ranked
from projections.models.earnings import SQL, Earnings

CreatorOrder = Literal["creator", "available", "earned"]
_VALUES: dict[CreatorOrder, str | None] = {
    "creator": None,
    "available": "available",
    "earned": "earned",
}
_QUERY = template(sql_files.load("creator_list", "projections")["list"])
_QUERIES = {
    (by, largest): _QUERY.format(
        **identifiers(Earnings.tables), **ranked(value, "creator", largest_first=largest)
    )
    for (by, value), largest in product(_VALUES.items(), (True, False))
}


def creators(
    connection: Connection,
    currency: str,
    *,
    order_by: CreatorOrder = "creator",
    after: RankPlace | None = None,
    largest_first: bool = False,
    limit: int,
) -> tuple[list[dict[str, Any]], list[RankPlace], int]:
    """Creators and what each is owed and has earned, the place of each in the list, and the
    position that they stand for."""
    place = after or beginning(largest_first=largest_first)
    values = {"after_value": place.value, "after_name": place.name, "limit": limit}
    rows = connection.execute(_QUERIES[order_by, largest_first], values).fetchall()
    found = [row[1:] for row in rows if row[1] is not None]
    names = ("creator", "pending", "available", "reserved", "in_payout", "lifetime_earned")
    items = [{**dict(zip(names, row[1:], strict=True)), "currency": currency} for row in found]
    return items, [RankPlace(row[0], row[1]) for row in found], rows[0][0] if rows else 0


def payable(connection: Connection, creator: str, currency: str, now: datetime) -> dict[str, Any]:
    """What could be paid out to `creator` at `now`, and every reason why it cannot.

    Decided on the state that `request-payout` is decided on, by the same rule.
    """
    with connection.transaction():
        connection.execute(SQL["one_moment"])
        position = reading.head(connection)
        policy = policy_in_force(connection, now)
        state = read_state(connection, f"{Creator.KIND}:{creator}")
    assert isinstance(state, Creator)
    due = state.due(now)
    refusals = payout_refusals(state, creator, policy, now)
    return {
        "creator": creator,
        "currency": currency,
        "available": state.available,
        "due_now": due,
        "payable": max(state.available + due, 0),
        "minimum": policy.payout_minimum or 0 if policy is not None else 0,
        "ok": not refusals and state.available + due > 0,
        "codes": [refusal.reason.code for refusal in refusals],
        "reasons": [
            {"code": each.reason.code, "detail": each.detail, "details": each.details}
            for each in refusals
        ],
        "as_of_position": position,
    }
