"""Writes an entry of every event type that has no example yet; existing ones are never touched.

Optional fields that no example of their type has yet get one, `TYPE+FIELD+FIELD`. Plays the
history on a book of its own. A new event type or field needs its command added to `history`.
"""

import hashlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from ledger.books import create_book
from ledger.postgres import embedded
from ledger.postgres.database import SERVICE_ROLE
from ledger.postgres.migrations import migrate
from tests.conftest import FreshBook
from tests.golden.history import play
from tests.golden.stored import kind_of
from tests.scenarios.write_path import WritePath

HERE = Path(__file__).parent


def main() -> None:
    """Play the history and keep the last entry of each type that has no file."""
    with TemporaryDirectory() as directory, embedded.server(directory) as server:
        migrate(server.url())
        book = create_book(server.url(), "golden", currency="USD", time_zone="UTC")
        stage = WritePath(FreshBook(book, server.url(user=SERVICE_ROLE), server.url()))
        play(stage)
        keep(stage)
        stage.close()


def keep(stage: WritePath) -> None:
    """Write the examples that are missing, and their leaf hashes beside them."""
    hashes = HERE / "leaf_hashes.json"
    leaves = json.loads(hashes.read_text()) if hashes.exists() else {}
    seen: dict[str, set[str]] = {}
    for name in leaves:
        seen.setdefault(kind_of(name), set()).update(fields((HERE / f"{name}.json").read_bytes()))
    for entry, (_, data) in zip(stage.entries(), stage.rows(), strict=True):
        known = seen.get(entry.type)
        new = sorted(fields(data) - known) if known is not None else []
        if new or known is None:
            name = "+".join((entry.type, *(field.removeprefix(".") for field in new)))
            (HERE / f"{name}.json").write_bytes(data)
            leaves[name] = hashlib.sha256(b"\0" + data).hexdigest()
        seen.setdefault(entry.type, set()).update(fields(data))
    hashes.write_text(json.dumps(leaves, indent=1, sort_keys=True) + "\n")


def fields(data: bytes) -> set[str]:
    """The fields of an entry and of its body; one that both have is the body's with a dot."""
    entry = json.loads(data)
    return {*entry, *(f".{field}" if field in entry else field for field in entry["body"])}


if __name__ == "__main__":
    main()
