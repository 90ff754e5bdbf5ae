"""States that can be compared: those a writer holds, and those of a replay."""

from typing import Any

import msgspec

from domain.entity import evolve
from ledger.write.state_cache import StateCache
from ledger.write.writer import Writer
from tests.domain.in_memory_book import States
from tests.scenarios.write_path import WritePath


def replayed(stage: WritePath) -> dict[str, bytes]:
    """Every entity's state, folded from the first event; as a snapshot keeps it."""
    states = States()
    for entry in stage.entries():
        states.update(dict(evolve(states, entry.event())))
    return encoded(states)


_sorted = msgspec.msgpack.Encoder(order="sorted")


def encoded(states: dict[str, Any]) -> dict[str, bytes]:
    """States that can be compared, whatever class their parts were read as."""
    return {key: _sorted.encode(state) for key, state in states.items()}


def cached(writer: Writer) -> dict[str, bytes]:
    """The states that a writer holds in memory."""
    cache: StateCache = writer._cache
    return encoded({key: held.state for key, held in {**cache._old, **cache._young}.items()})
