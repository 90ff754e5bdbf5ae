"""Entity states in memory: the working set of one batch over a bounded cache.

The cache is two generations: what is used moves to the young one; when that is full, the old
one is let go as a whole, so that eviction costs nothing per look-up and snapshots of what leaves
are written in one go. A batch hands its states over just before it is committed; rolling back
makes the cache forget those, and keeps the others.
"""

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from domain.entity import MissingState, State, tag_of
from domain.event import Event

S = TypeVar("S", bound=State)

#: Events of one entity after which a snapshot is due.
SNAPSHOT_EVERY = 100
#: Fewer events than this are cheaper to fold again than a snapshot is to write.
EVICTED_TAIL_MIN = 3


class CachedState(msgspec.Struct, frozen=True, gc=False):
    """A committed state, the position of its last event, and events since its snapshot."""

    state: State
    position: int
    tail: int


class Snapshot(msgspec.Struct, frozen=True):
    """A state on its way to the snapshot table."""

    entity: str
    position: int
    fold_version: int
    state: bytes


class StateCache:
    """Committed entity states by tag, at most about `capacity` of them."""

    def __init__(self, capacity: int) -> None:
        self._generation = max(1, capacity // 2)
        self._young: dict[str, CachedState] = {}
        self._old: dict[str, CachedState] = {}
        self._due: list[Snapshot] = []

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: str) -> CachedState | None:
        """The held state, which counts as used."""
        held = self._young.get(key)
        if held is None:
            held = self._old.pop(key, None)
            if held is not None:
                self._young[key] = held
        return held

    def put(self, key: str, held: CachedState) -> None:
        """Hold a committed state; one with a long tail becomes due for a snapshot."""
        if held.tail >= SNAPSHOT_EVERY:
            self._due.append(snapshot(key, held))
            held = CachedState(held.state, held.position, 0)
        self._young[key] = held
        if len(self._young) >= self._generation:
            self._evict()

    def lacking(self, keys: Iterable[str], into: dict[str, State]) -> list[str]:
        """Put the held states of `keys` into a dictionary; the others, each once."""
        lacking: dict[str, None] = {}
        young, old = self._young, self._old
        for key in keys:
            if key in into:
                continue
            held = young.get(key)
            if held is None:
                held = old.pop(key, None)
                if held is None:
                    lacking[key] = None
                    continue
                young[key] = held
            into[key] = held.state
        return list(lacking)

    def take(self, states: dict[str, State], touched: dict[str, tuple[int, int]]) -> None:
        """Hold what a batch made of states; `touched`: last position and count of new events."""
        young = self._young
        for key, (position, events) in touched.items():
            state = states[key]
            if state.CACHED:
                before = young.get(key)
                tail = events if before is None else before.tail + events
                held = young[key] = CachedState(state, position, tail)
                if tail >= SNAPSHOT_EVERY:
                    self._due.append(snapshot(key, held))
                    young[key] = CachedState(state, position, 0)
        if len(young) >= self._generation:
            self._evict()

    def forget(self, keys: Iterable[str], committed: int) -> None:
        """Forget states that were taken over and did not come true after the last commit."""
        for key in keys:
            self._young.pop(key, None)
            self._old.pop(key, None)
        self._due = [due for due in self._due if due.position <= committed]

    def drop(self) -> None:
        """Forget everything: it did not come true, or too much of somebody else's did since."""
        self._young.clear()
        self._old.clear()
        self._due.clear()

    def fold(self, position: int, event: Event) -> None:
        """Bring the held states that another process's event touches up to date."""
        for key in event.tags():
            held = self._young.get(key) or self._old.get(key)
            if held is None or held.position >= position:
                continue
            self.put(key, CachedState(held.state.apply(key, event), position, held.tail + 1))
            self._old.pop(key, None)

    def take_due(self) -> list[Snapshot]:
        """The snapshots that became due since the last call."""
        due, self._due = self._due, []
        return due

    def flush(self) -> list[Snapshot]:
        """Snapshots of everything that is worth one, for a clean shutdown."""
        self._evict()
        self._evict()
        return self.take_due()

    def _evict(self) -> None:
        self._due += [
            snapshot(key, held) for key, held in self._old.items() if held.tail >= EVICTED_TAIL_MIN
        ]
        self._old = self._young
        self._young = {}


class WorkingStates(dict[str, State]):
    """The states that one batch works on: loaded ones, and what its commands made of them."""

    def __init__(self, cache: StateCache) -> None:
        super().__init__()
        self.views: dict[str, list[str]] = {}
        #: The last position that is committed.
        self.committed = 0
        self._cache = cache

    def __missing__(self, key: str) -> State:
        held = self._cache.get(key)
        if held is None:
            raise MissingState(key)
        self[key] = held.state
        return held.state

    def loaded(self, kind: type[S], entity_id: str, /) -> S | None:
        """The state of an entity, if it is at hand."""
        try:
            return self[f"{kind.KIND}:{entity_id}"]  # type: ignore[return-value]
        except MissingState:
            return None

    def lacking(self, keys: Iterable[str]) -> list[str]:
        """Those of `keys` that have to be loaded, each once."""
        return self._cache.lacking(keys, self)

    def load(self, key: str, held: CachedState) -> None:
        """Take in a state from the database; the cache takes what is committed."""
        self[key] = held.state
        if held.state.FOLDED_FROM is not None:
            self.views.setdefault(tag_of(key), []).append(key)
        if held.state.CACHED and 0 < held.position <= self.committed:
            self._cache.put(key, held)

    def hand_over(self, touched: dict[str, tuple[int, int]]) -> None:
        """Move what changed to the cache; `touched`: last position and count of new events."""
        self._cache.take(self, touched)


def snapshot(key: str, held: CachedState) -> Snapshot:
    """What the snapshot table keeps of a held state."""
    return Snapshot(key, held.position, held.state.FOLD_VERSION, msgspec.msgpack.encode(held.state))
