"""Entity states from the database: a snapshot, and the events since."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import msgspec
import psycopg

from domain.entity import KINDS, State, tag_of
from ledger.log.entry import decode
from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from ledger.write.state_cache import EVICTED_TAIL_MIN, CachedState, Snapshot, snapshot

#: Events of one entity, and rows for one batch, that are read and folded while the head is locked.
TAIL_MAX = 1_000
LOADED_MAX = 20_000
#: Events from one snapshot to the next where a long tail is folded without the lock.
PAGE = 2_000

SQL = sql_files.load("sequencer")


class LogUnreadable(Exception):
    """The log holds an entry, or the cache of it a snapshot, that this process cannot read."""


class LongTails(Exception):
    """The events of `keys` since their snapshots are too many to be folded under the lock."""

    def __init__(self, keys: list[str]) -> None:
        self.keys = keys
        super().__init__(f"the history of {', '.join(keys[:3])} is being prepared; try again")


def named(keys: list[str]) -> tuple[str, str, str]:
    """Entities as the query `states` takes them."""
    kinds = [key[: key.index(":")] for key in keys]
    tags = [tag_of(key) if kind in _VIEWS else key for key, kind in zip(keys, kinds, strict=True)]
    return " ".join(keys), " ".join(tags), " ".join([_VERSIONS[kind] for kind in kinds])


_VERSIONS = {name: str(kind.FOLD_VERSION) for name, kind in KINDS.items()}
#: Kinds that are folded from the tag of another.
_VIEWS = {name for name, kind in KINDS.items() if kind.FOLDED_FROM is not None}


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

#: (entity, whether it is its snapshot, position, snapshot or entry), as the query answers.
LoadedRow = tuple[str, bool, int, bytes]


def folded(keys: Iterable[str], rows: Iterable[LoadedRow]) -> Iterator[tuple[str, CachedState]]:
    """Every key's state: snapshot plus tail, or a new entity."""
    found: dict[str, CachedState] = {}
    for key, is_snapshot, position, data in rows:
        kind = key[: key.index(":")]
        if is_snapshot:
            found[key] = CachedState(_states[kind].decode(data), position, 0)
            continue
        held = found.get(key) or _NEW[kind]
        state = held.state.apply(key, decode(data).event())
        found[key] = CachedState(state, position, held.tail + 1)
    for key in keys:
        yield key, found.get(key) or _NEW[key[: key.index(":")]]


def read_state(connection: Connection, key: str) -> State:
    """An entity's state as the log has it, for a reader, who holds nobody up. Raises LongTails."""
    limits = LOADED_MAX, LOADED_MAX + 1
    rows = connection.execute(SQL["states"], (*named([key]), *limits), binary=True).fetchall()
    if len(rows) > LOADED_MAX:
        raise LongTails([key])
    with reading_the_log():
        ((_, held),) = folded([key], rows)
    return held.state


def check_tails(rows: Sequence[LoadedRow], loaded: int) -> None:
    """Raise LongTails if `rows`, the last of `loaded` in a batch, are too many."""
    counts = Counter(row[0] for row in rows)
    long = [key for key, count in counts.items() if count > TAIL_MAX]
    if long:
        raise LongTails(long)
    if loaded > LOADED_MAX:
        raise LongTails([key for key, count in counts.items() if count > EVICTED_TAIL_MIN])


def write(connection: Connection, snapshots: list[Snapshot]) -> None:
    """Write snapshots; one that is older than what is there changes nothing."""
    snapshots.sort(key=lambda snapshot: snapshot.entity)
    columns = (
        [each.entity for each in snapshots],
        [each.position for each in snapshots],
        [each.fold_version for each in snapshots],
        [each.state for each in snapshots],
    )
    connection.execute(SQL["write_snapshots"], columns)


def shorten(connection: Connection, key: str, *, events: int = PAGE) -> bool:
    """Write a snapshot `events` further down the tail of an entity; False at its end."""
    limits = events, events + 1
    rows = connection.execute(SQL["states"], (*named([key]), *limits), binary=True).fetchall()
    with reading_the_log():
        ((_, held),) = folded([key], rows)
    if held.tail:
        write(connection, [snapshot(key, held)])
    return held.tail >= events
