"""What a file of tips adds up to, summed from its text, and what a book says about the same.

The two sides share no code: the file's side reads CSV, the book's side adds up postings.
"""

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from api.cli.books import profile_document
from ledger.log.entry import decode
from ledger.postgres.database import Connection

TIPS_POLICY = profile_document("tips")


@dataclass
class Sums:
    """Tips given and received, by person; when each tip was given, by its reference."""

    spent: Counter[str] = field(default_factory=Counter)
    earned: Counter[str] = field(default_factory=Counter)
    given_at: dict[str, str] = field(default_factory=dict)


def in_file(path: Path) -> Sums:
    """Each reference once."""
    sums = Sums()
    with path.open(newline="") as text:
        for row in csv.DictReader(text):
            if row["tip_ref"] in sums.given_at:
                continue
            sums.given_at[row["tip_ref"]] = row["occurred_at"]
            sums.spent[row["sender"]] += int(row["units"])
            sums.earned[row["recipient"]] += int(row["units"])
    return sums


def in_book(connection: Connection) -> Sums:
    """From the postings of every entry; a wallet that is not empty afterwards is an error."""
    sums, wallets = Sums(), Counter[str]()
    for (data,) in connection.execute("SELECT data FROM events ORDER BY position"):
        entry = decode(data)
        for account, asset, amount in entry.postings:
            match account.split("."):
                case ["w", user, "free"]:
                    wallets[user] -= amount
                    if amount > 0:
                        sums.spent[user] += amount
                case ["cr", creator, "available"]:
                    assert asset == "USD"
                    sums.earned[creator] -= amount
        if entry.type == "tip.sent.v1":
            assert entry.correlation_id not in sums.given_at, "a tip counted twice"
            sums.given_at[entry.correlation_id] = entry.occurred_at.strftime(
                "%Y-%m-%dT%H:%M:%S.%fZ"
            )
    assert not any(wallets.values()), "a grant was not what its tip needed"
    return sums


def write(path: Path, rows: Iterable[Iterable[str]]) -> Path:
    """A file of rows under the header of a tips file."""
    header = ["tip_ref", "occurred_at", "sender", "recipient", "units", "content_id", "round"]
    with path.open("w", newline="") as text:
        csv.writer(text).writerows([header, *rows])
    return path
