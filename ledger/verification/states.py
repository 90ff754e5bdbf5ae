"""The states of a book's entities at one position of its log, however many there are.

Verification folds them from the log alone: snapshots, which are a cache, are not read. What
decisions need again and again is kept in memory up to a bound, and beyond it in a temporary table
of this session; what they need once or twice is folded from its own short history when it is asked
for.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from domain.entity import KINDS, State, kind_of, tag_of
from domain.event import Event
from ledger.log import reading
from ledger.log.entry import decode
from ledger.postgres import sql_files
from ledger.postgres.database import Connection

S = TypeVar("S", bound=State)

#: States in memory, in two halves: the one that was not used for longest is put away as a whole.
STATES_MAX = 100_000

SQL = sql_files.load("verify_states")

_decoders = {name: msgspec.msgpack.Decoder(kind) for name, kind in KINDS.items()}
_encode = msgspec.msgpack.Encoder().encode

#: How the tags of what every event carries along begin.
_KEPT = tuple(f"{name}:" for name, kind in KINDS.items() if kind.CACHED)

#: A state before and after an event, under its key.
Change = tuple[str, State, State]


class FoldedStates:
    """States by key, as of `position`; `connection` in autocommit mode, in the book's schema."""

    def __init__(self, connection: Connection, *, states_max: int = STATES_MAX) -> None:
        self.position = 0
        self._connection = connection
        self._half = max(1, states_max // 2)
        self._young: dict[str, State] = {}
        self._old: dict[str, State] = {}
        self._put_away = False
        #: Of kinds that are not kept: what the commands of a page ask for.
        self._brief: dict[str, State] = {}
        self._views: dict[str, list[str]] = {}

    def __getitem__(self, key: str, /) -> State:
        state = self._young.get(key)
        if state is None:
            state = self._brief.get(key)
            if state is None:
                self.bring((key,))
                state = self._young.get(key) or self._brief[key]
        return state

    def loaded(self, kind: type[S], entity_id: str, /) -> S | None:
        """The state of an entity: whatever is asked for is there."""
        return self[f"{kind.KIND}:{entity_id}"]  # type: ignore[return-value]

    def bring(self, keys: Iterable[str]) -> None:
        """Have these at hand: read at once what has to be read."""
        kept: dict[str, None] = {}
        brief: dict[str, None] = {}
        for key in keys:
            if key in self._young or key in self._brief:
                continue
            if key.startswith(_KEPT):
                state = self._old.pop(key, None)
                if state is None:
                    kept[key] = None
                else:
                    self._young[key] = state
            elif kind_of(key) is not None:
                brief[key] = None
        if kept:
            self._take_back(list(kept))
        if brief:
            self._fold_anew(list(brief))

    def apply(self, position: int, event: Event, tags: Iterable[str]) -> Iterator[Change]:
        """Let the event at `position` change all that it touches; what it changed, one by one."""
        self.position = position
        for key in tags:
            if key.startswith(_KEPT):
                before = self[key]
                after = self._young[key] = before.apply(key, event)
                yield key, before, after
            elif key in self._brief:
                self._brief[key] = self._brief[key].apply(key, event)
            for view in self._views.get(key, ()):
                self._brief[view] = self._brief[view].apply(view, event)
        if len(self._young) >= self._half:
            self._put_old_away()

    def next_page(self) -> None:
        """Let go of what the last page asked for."""
        self._brief.clear()
        self._views.clear()

    def _fold_anew(self, keys: list[str]) -> None:
        by_tag: dict[str, list[str]] = {}
        for key in keys:
            kind, tag = KINDS[key[: key.index(":")]], tag_of(key)
            self._brief[key] = kind()
            by_tag.setdefault(tag, []).append(key)
            if tag != key:
                self._views.setdefault(tag, []).append(key)
        for tag, _, data in reading.histories(self._connection, list(by_tag), self.position):
            event = decode(data).event()
            for key in by_tag[tag]:
                self._brief[key] = self._brief[key].apply(key, event)

    def _take_back(self, keys: list[str]) -> None:
        self._young.update((key, _NEW[key[: key.index(":")]]) for key in keys)
        if not self._put_away:
            return
        with self._connection.cursor(binary=True) as cursor:
            for key, stored in cursor.execute(SQL["take_back"], (keys,)):
                self._young[key] = _decoders[key[: key.index(":")]].decode(stored)

    def _put_old_away(self) -> None:
        if not self._put_away:
            self._connection.execute(SQL["create"])
            self._put_away = True
        if self._old:
            columns = list(self._old), [_encode(state) for state in self._old.values()]
            self._connection.execute(SQL["put_away"], columns)
        self._old, self._young = self._young, {}


_NEW = {name: kind() for name, kind in KINDS.items()}
