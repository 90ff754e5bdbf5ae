"""A book of pure functions: states in a dictionary, a fixed clock, no database.

`happens(...)` lets a command have its effect, `decide(...)` answers the decision on one, and
`record(...)` lets events have happened. Everything comes from the catalogue, so a new command
needs nothing here.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from domain.accounts import Assets
from domain.catalogue import read_command
from domain.command import Command, Decision, Given, Ignored, Suspended
from domain.controls.policy_changes import POLICIES, Policies, PolicyProposed
from domain.controls.second_persons import decide
from domain.entity import State, evolve, kind_of, tag_of
from domain.event import Event
from domain.labels import labelled
from domain.policy import PolicyVersion, in_force
from domain.rejections import Rejection
from tests.domain.declared_movements import check_movements

S = TypeVar("S", bound=State)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ASSETS = Assets.of("demo", "USD")


class States(dict[str, State]):
    """Entities never seen are new ones; a view is folded from the history when asked for."""

    def __init__(self, history: Sequence[Event] = ()) -> None:
        super().__init__()
        self._history = history

    def __missing__(self, key: str) -> State:
        kind = kind_of(key)
        assert kind is not None, key
        state, tag = kind(), tag_of(key)
        if tag != key:
            for event in self._history:
                if tag in event.tags():
                    state = state.apply(key, event)
        return state

    def loaded(self, kind: type[S], entity_id: str, /) -> S | None:
        """Everything is always there."""
        return self[f"{kind.KIND}:{entity_id}"]  # type: ignore[return-value]


def check_snapshot(state: State) -> None:
    """A state that is read back from its snapshot is the same, its parts' classes included."""
    restored = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=type(state))
    assert restored == state


class InMemoryBook:
    """A book without a database."""

    def __init__(self, policy: dict[str, Any] | None = None, assets: Assets = ASSETS) -> None:
        self.assets = assets
        self.history: list[Event] = []
        self.states = States(self.history)
        self.now = NOW
        self._ids = 0
        self.last_id = ""
        self._read: tuple[Policies | None, tuple[PolicyVersion, ...]] = (None, ())
        if policy is not None:
            self.publish(policy)

    def publish(self, policy: dict[str, Any], since: str = "1970-01-01T00:00:00Z") -> None:
        """Alice proposes, Bob approves."""
        (proposed,) = self.happens("propose-policy", "alice", body=policy, effective_from=since)
        assert isinstance(proposed, PolicyProposed)
        self.happens("approve-policy", "bob", version=proposed.version)

    def happens(self, name: str, actor: str = "backend", **fields: Any) -> tuple[Event, ...]:
        """Let a command have its effect; it must be accepted."""
        decision = self.decide(name, actor, **fields)
        assert isinstance(decision, tuple), decision
        return self.record(*decision)

    def record(self, *events: Event) -> tuple[Event, ...]:
        """Let events have happened."""
        for event in events:
            check_movements(event, self.assets, self.states)
            after = dict(evolve(self.states, event))
            for state in after.values():
                check_snapshot(state)
            self.states.update(after)
            self.history.append(event)
        return events

    def decide(self, name: str, actor: str = "backend", **fields: Any) -> Decision:
        """What is decided on a command."""
        return self.decide_on(read_command(name, fields), actor)

    def decide_on(
        self,
        command: Command,
        actor: str = "backend",
        principal: str | None = None,
        role: str = "",
    ) -> Decision:
        """What is decided, with nothing changed by it."""
        assert all(kind_of(key) for key in command.prefetch(self.states)), "a key of no kind"
        self._ids += 1
        versions = self._versions()
        ms, us = divmod((self.now - EPOCH) // timedelta(microseconds=1), 1_000)
        text = f"{ms:012x}"
        self.last_id = f"{text[:8]}-{text[8:]}-7{us:03x}-8000-{self._ids:012x}"
        decision = decide(
            command,
            Given(
                self.states,
                versions,
                in_force(versions, self.now),
                self.now,
                self.last_id,
                actor,
                self.assets,
                self.now.date(),
                "salt",
                principal or actor,
                role,
            ),
        )
        if isinstance(decision, tuple):
            return self._labelled(decision, command)
        if isinstance(decision, Suspended):
            return Suspended(decision.code, self._labelled(decision.events, command))
        return decision

    def _labelled(self, events: tuple[Event, ...], command: Command) -> tuple[Event, ...]:
        """The events as the ledger would record them."""
        found: list[Event] = []
        for event in events:
            tag = event.labelled_by()
            origin: Any = None if tag is None else self.states[tag]
            if tag is not None and origin == type(origin)():  # this command itself has sold it
                origin = next((each for each in found if tag in each.tags()), None)
            found.append(labelled(event, command.labels, origin))
        return tuple(found)

    def _versions(self) -> tuple[PolicyVersion, ...]:
        """The versions of the policy, read once for as long as they are the same."""
        policies = self.states[POLICIES]
        assert isinstance(policies, Policies)
        if self._read[0] is not policies:
            self._read = policies, policies.versions()
        return self._read[1]

    def later(self, **delta: float) -> None:
        """Let time pass."""
        self.now += timedelta(**delta)


def code(decision: Decision) -> str:
    """Why not; '' for an accepted command."""
    if isinstance(decision, Rejection):
        return decision.reason.code
    return decision.code if isinstance(decision, Suspended | Ignored) else ""
