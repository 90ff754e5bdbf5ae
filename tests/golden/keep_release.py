"""Keeps what a release has written: its log, receipts and inbox, and what was sent for them.

Run in a checkout of that release: `python -m tests.golden.keep_release FILE`. The book and its
commands are fixed, so that any later release can be asked about them again; see
`tests/ledger/write/test_earlier_release.py`.
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ledger.books import create_book
from ledger.postgres import embedded
from ledger.postgres.database import SERVICE_ROLE
from ledger.postgres.migrations import migrate
from tests.conftest import FreshBook
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import Sent, card_tip, policy, purchase, tip
from tests.scenarios.write_path import WritePath

BOOK = "before"
TABLES = {
    "head": "SELECT position, recorded_at, commits FROM head",
    "events": "SELECT position, event_id, type, tags, occurred_at, recorded_at, data, leaf_hash "
    "FROM events ORDER BY position",
    "receipts": "SELECT key, fingerprint, position, events, status, code, body FROM receipts "
    "ORDER BY position, key",
    "inbox": "SELECT processor, processor_ref, command, fields, principal, client, "
    "correlation_id, key, fingerprint, state, awaits, received_at, settled_at, position "
    "FROM inbox ORDER BY received_at",
}
TERMS: dict[str, Any] = {
    **MICRO_UNLOCK,
    "revenue_share": {"default": 8000, "tiers": {"STANDARD": 7000}},
    "products_enabled": [*MICRO_UNLOCK["products_enabled"], "session", "subscription"],
}
SUBSCRIPTION = {"subscription": "sub"}
PERIOD = {"period_start": "2026-01-01T00:00:00Z", "period_end": "2026-02-01T00:00:00Z"}


def notices() -> list[Sent]:
    """One of each kind: applied, parked, suspended, without anything to do."""
    return [
        purchase("small", price=999, user="ann", ref="bought"),
        purchase("small", price=998, user="ann", ref="wrong"),
        card_tip(1_000, user="ann", processor_ref="tip"),
        notice("charge-period", "period", **SUBSCRIPTION, **PERIOD, price=999),
        notice("fail-period", "late", **SUBSCRIPTION, period_start="2026-02-01T00:00:00Z"),
        notice("record-refund", "refund", sale="tip", cumulative=400),
        notice("record-refund", "stale", sale="tip", cumulative=300),
        notice("record-refund", "over", sale="tip", cumulative=1_001),
        notice("record-refund", "early", sale="later", cumulative=100),
        notice("open-dispute", "dispute", payment_ref="bought", amount=999, fee=1_500),
        notice("close-dispute", "outcome", dispute="dispute", outcome="LOST"),
        notice("close-dispute", "unheard", dispute="unknown", outcome="WON"),
        notice("fail-refund", "unmade", refund="unknown", reason_code="BANK"),
        notice("fail-payment", "unpaid", payment="unknown", reason_code="BANK"),
        card_tip(200, user="ben", processor_ref="awaited"),
        notice("record-refund", "first", sale="last", cumulative=50),
        card_tip(300, user="ben", processor_ref="last"),
    ]


def notice(command: str, ref: str, **fields: Any) -> Sent:
    """What a processor reports."""
    return Sent(command, {**fields, "processor": "stripe", "processor_ref": ref})


def main(file: Path) -> None:
    """Play it on a book of its own and write the file."""
    with TemporaryDirectory() as directory, embedded.server(directory) as server:
        migrate(server.url())
        book = create_book(server.url(), BOOK, currency="USD", time_zone="UTC")
        stage = WritePath(FreshBook(book, server.url(user=SERVICE_ROLE), server.url()))
        begun = {"user": "ann", "creator": "carl", "price": 999}
        stage.given(policy(TERMS), Sent("start-subscription", {**SUBSCRIPTION, **begun}))
        sent = [tip(5, user="ann", key="tip-1"), *notices(), tip(9, user="ben", key="tip-2")]
        answered = [stage.send(each) for each in sent]
        stage.close()
        kept = {name: rows(stage, query) for name, query in TABLES.items()}
        told = [
            {
                "command": each.command,
                "fields": each.fields,
                "key": each.key,
                "status": answer.status,
                "body": answer.body.decode(),
            }
            for each, answer in zip(sent, answered, strict=True)
        ]
        file.write_text(json.dumps({**kept, "sent": told}, indent=1, ensure_ascii=False) + "\n")


def rows(stage: WritePath, query: str) -> list[list[Any]]:
    """A table as JSON: bytes in hex, times as ISO 8601."""
    with stage.fresh.connect() as connection:
        return [[written(value) for value in row] for row in connection.execute(query)]


def written(value: Any) -> Any:
    """A value as JSON can say it."""
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return value if isinstance(value, int | str | list | None) else str(value)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
