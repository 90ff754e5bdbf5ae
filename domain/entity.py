"""Entity states: the fold of an entity's events that decisions need.

An entity is named like its tag, `kind:id`. States are immutable; `apply` answers the next one.
`FOLD_VERSION` of a kind goes up when its state's shape or its fold changes, so that snapshots
made by the older fold are not read any more.
"""

from collections.abc import Iterator
from typing import ClassVar, Protocol, TypeVar

import msgspec

from domain.event import Event


class State(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, array_like=True, gc=False
):
    """What decisions need to know of one entity; built without arguments it is a new entity."""

    KIND: ClassVar[str]
    FOLD_VERSION: ClassVar[int] = 1
    #: Kept in memory and carried along by every event. Kinds that are needed once or twice in a
    #: life are not: they are folded from the log when a decision asks for one.
    CACHED: ClassVar[bool] = True
    #: The kind of tag it is folded from, where that is another than its own: a view of what an
    #: entity's events say about something, for a decision that is seldom taken. `view:id:more`
    #: is folded from the events tagged `entity:id`.
    FOLDED_FROM: ClassVar[str | None] = None
    #: How long each of its lists may become by a request; by notices, which are facts, twice as
    #: long.
    LISTS: ClassVar[dict[str, int]] = {}

    def apply(self, key: str, event: Event) -> "State":
        """The state after `event`, which touches this entity under the tag `key`."""
        raise NotImplementedError(type(self).__name__)


KINDS: dict[str, type[State]] = {}
S = TypeVar("S", bound=State)


def entity(cls: type[S]) -> type[S]:
    """Register a state class for its kind of tag."""
    KINDS[cls.KIND] = cls
    return cls


def kind_of(key: str) -> type[State] | None:
    """The state class of the tag `key`, or None where no decision ever needs that entity."""
    return KINDS.get(key[: key.index(":")])


def tag_of(key: str) -> str:
    """The tag of the events that the state `key` is folded from."""
    kind = kind_of(key)
    if kind is None or kind.FOLDED_FROM is None:
        return key
    return f"{kind.FOLDED_FROM}:{key.split(':')[1]}"


class MissingState(LookupError):
    """The states of `keys` are needed for a decision and not loaded."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys
        super().__init__(*keys)


class States(Protocol):
    """Entity states by tag; raises MissingState for one that is not loaded."""

    def __getitem__(self, key: str, /) -> State: ...


class LoadedStates(Protocol):
    """What is loaded so far, for looking ahead."""

    def loaded(self, kind: type[S], entity_id: str, /) -> S | None:
        """The state of an entity; None while it is not loaded."""


def evolve(states: States, event: Event) -> Iterator[tuple[str, State]]:
    """The next state of every entity that `event` touches."""
    for key in event.tags():
        if kind_of(key) is not None:
            yield key, states[key].apply(key, event)
