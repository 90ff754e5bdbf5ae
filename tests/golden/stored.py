"""The stored examples: an entry of every type, as it was written."""

import json
from pathlib import Path

GOLDEN = Path(__file__).parent


LEAVES: dict[str, str] = json.loads((GOLDEN / "leaf_hashes.json").read_text())


STORED = sorted(LEAVES)


def kind_of(name: str) -> str:
    """The type of event that an example is of; one for a later field has the field's name, too."""
    return name.partition("+")[0]


def stored(name: str) -> bytes:
    """The entry as it was written."""
    return (GOLDEN / f"{name}.json").read_bytes()
