"""The published policies of a book, parsed once for as long as they are the same."""

from domain.controls.policy_changes import POLICIES, Policies
from domain.entity import State, States
from domain.policy import PolicyVersion


class PublishedPolicies:
    """The policies among the states of a batch, looked up only when their state is another."""

    def __init__(self, states: States) -> None:
        self._states = states
        self._state: State | None = None
        self._versions: tuple[PolicyVersion, ...] = ()

    def versions(self) -> tuple[PolicyVersion, ...]:
        """All that were published so far."""
        state = self._states[POLICIES]
        if state is not self._state:
            assert isinstance(state, Policies)
            self._state, self._versions = state, parsed(state)
        return self._versions


_PARSED_MAX = 8
_parsed: list[tuple[Policies, tuple[PolicyVersion, ...]]] = []


def parsed(state: Policies) -> tuple[PolicyVersion, ...]:
    """The versions of a book's policies; parsing a document costs more than a whole batch."""
    for known, versions in _parsed:
        if known is state:
            return versions
    versions = state.versions()
    _parsed.insert(0, (state, versions))
    del _parsed[_PARSED_MAX:]
    return versions
