"""What waits for a person: queues that finance works off, each with its size and its oldest."""

from datetime import datetime

import msgspec

from ledger.postgres.database import Connection
from ledger.write.inbox import parked_count
from projections.catalogue import PROJECTIONS
from projections.engine.projection import bound

SQL = bound("waiting", [table for each in PROJECTIONS for table in each.tables])

#: Where each is listed, below the book's path.
LISTED = {
    "parked": "notices?status=parked",
    "suspended": "notices?status=suspended",
    "payouts_requested": "payouts?status=requested",
    "payouts_unconfirmed": "payouts?status=submitted",
    "adjustments_proposed": "adjustments?status=proposed",
    "policies_proposed": "policies?status=proposed",
    "breaks_open": "breaks?status=open",
    "creators_negative": "creators?order_by=available&order=asc",
}


class WaitingQueue(msgspec.Struct, frozen=True):
    """How many wait, for how much in minor units of the book's currency (None: they have no
    amount), and since when the oldest does."""

    count: int
    amount: int | None
    oldest_at: datetime | None


def waiting(connection: Connection, currency: str) -> dict[str, WaitingQueue]:
    """Every queue of `LISTED`. What is parked left no event, so it is of now; the others are as
    of the read models."""
    rows = connection.execute(SQL["waiting"], {"currency": currency}).fetchall()
    found = {kind: WaitingQueue(count, amount, oldest) for kind, count, amount, oldest in rows}
    (oldest,) = connection.execute(SQL["parked"]).fetchone() or (None,)
    found["parked"] = WaitingQueue(parked_count(connection).notices, None, oldest)
    return {kind: found[kind] for kind in LISTED}
