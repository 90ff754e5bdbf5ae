"""Writes an entry of every event type that has no example yet; existing ones are never touched.

Plays one small history on a book of its own. A new event type needs its command added here.
"""

import hashlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from ledger import embedded
from ledger.books import create_book
from ledger.database import SERVICE_ROLE
from ledger.migrate import migrate
from tests.conftest import FreshBook
from tests.scenarios.platform import Platform
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.words import FAN, Sent, freeze, grant, policy, purchase, ticket, tip, unlock

HERE = Path(__file__).parent

HISTORY: list[Sent | list[Sent]] = [
    policy({**MICRO_UNLOCK, "vat": {"DE": 1900}}),
    purchase("small", price=999).but(country="DE", occurred_at="2026-02-28T23:59:59.5Z"),
    purchase("small", price=998, ref="wrong"),
    Sent("release-payment", {"payment_ref": "wrong", "resolution": "RETURN"}, "finance", "fay"),
    grant(10, expires_at="2036-01-01T00:00:00Z"),
    tip(20).but(on_behalf_of=FAN, attribution={"source": "DIRECT", "campaign_id": "spring"}),
    unlock(399, item="photo", discount=100),
    Sent("unlock-message", unlock(150, item="letter").fields),
    ticket(50, item="stream", access_until="2026-12-31T00:00:00Z"),
    freeze(FAN, "wallet", "SPEND"),
    Sent("unfreeze", freeze(FAN, "wallet", "SPEND").fields),
]


def main() -> None:
    """Play the history and keep the last entry of each type that has no file."""
    with TemporaryDirectory() as directory, embedded.server(directory) as server:
        migrate(server.url())
        book = create_book(server.url(), "golden", currency="USD", time_zone="Europe/Berlin")
        platform = Platform(FreshBook(book, server.url(user=SERVICE_ROLE), server.url()))
        platform.when(*HISTORY)
        assert all(outcome.status < 300 for outcome in platform.outcomes), platform.outcomes
        platform.check()
        keep(platform)
        platform.close()


def keep(platform: Platform) -> None:
    """Write the examples that are missing, and their leaf hashes beside them."""
    hashes = HERE / "leaf_hashes.json"
    leaves = json.loads(hashes.read_text()) if hashes.exists() else {}
    for entry, (_, data) in zip(platform.entries(), platform.rows(), strict=True):
        path = HERE / f"{entry.type}.json"
        if not path.exists():
            path.write_bytes(data)
            leaves[entry.type] = hashlib.sha256(b"\0" + data).hexdigest()
    hashes.write_text(json.dumps(leaves, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
