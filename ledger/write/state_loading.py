"""Entity states from the database: a snapshot, and the events since."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import msgspec
import psycopg

from domain.entity import KINDS, tag_of
from ledger.log.entry import decode
from ledger.write.state_cache import CachedState


class LogUnreadable(Exception):
    """The log holds an entry, or the cache of it a snapshot, that this process cannot read."""


def named(keys: list[str]) -> tuple[str, str, str]:
    """Entities as the query `states` takes them."""
    versions = [_VERSIONS[key[: key.index(":")]] for key in keys]
    return " ".join(keys), " ".join(map(tag_of, keys)), " ".join(versions)


_VERSIONS = {name: str(kind.FOLD_VERSION) for name, kind in KINDS.items()}


@contextmanager
def reading_the_log() -> Iterator[None]:
    """What cannot be read stops writing: to decide without it would be to decide wrongly."""
    try:
        yield
    except psycopg.Error:
        raise
    except Exception as error:
        raise LogUnreadable(repr(error)) from error


_NEW = {name: CachedState(kind(), 0, 0) for name, kind in KINDS.items()}
_states = {name: msgspec.msgpack.Decoder(kind) for name, kind in KINDS.items()}

#: (entity, snapshot's position, snapshot, event's position, entry), as the query answers.
LoadedRow = tuple[str, int | None, bytes | None, int | None, bytes | None]


def folded(keys: Iterable[str], rows: Iterable[LoadedRow]) -> Iterator[tuple[str, CachedState]]:
    """Every key's state: snapshot plus tail, or a new entity."""
    found: dict[str, CachedState] = {}
    for key, snapshot_at, snapshot_bytes, position, data in rows:
        held = found.get(key)
        if held is None:
            kind = key[: key.index(":")]
            if snapshot_bytes is None or snapshot_at is None:
                held = _NEW[kind]
            else:
                held = CachedState(_states[kind].decode(snapshot_bytes), snapshot_at, 0)
        if position is not None and data is not None:
            held = CachedState(held.state.apply(key, decode(data).event()), position, held.tail + 1)
        found[key] = held
    for key in keys:
        yield key, found.get(key) or _NEW[key[: key.index(":")]]
