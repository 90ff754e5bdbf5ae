"""The published policies of a book, parsed once for as long as they are the same."""

from datetime import UTC, datetime

from domain.controls.policy_changes import POLICIES, Policies
from domain.entity import State, States
from domain.policy import PolicyVersion, in_force

#: Every version, and the one in force.
Found = tuple[tuple[PolicyVersion, ...], PolicyVersion | None]


class PublishedPolicies:
    """The policies among the states of a batch, and the one in force: looked up once for as long
    as their state is the same and none begins."""

    def __init__(self, states: States) -> None:
        self._states = states
        self._state: State | None = None
        self._since = self._until = _NEVER
        self._found: Found = (), None

    def at(self, now: datetime) -> Found:
        """All that were published so far, and the one in force at `now`."""
        state = self._states[POLICIES]
        if state is not self._state or not self._since <= now < self._until:
            assert isinstance(state, Policies)
            versions = parsed(state)
            later = (each.effective_from for each in versions if each.effective_from > now)
            self._state, self._since, self._until = state, now, min(later, default=_NEVER)
            self._found = versions, in_force(versions, now)
        return self._found


_NEVER = datetime.max.replace(tzinfo=UTC)
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
