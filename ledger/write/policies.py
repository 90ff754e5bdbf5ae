"""The published policies of a book, parsed once for as long as they are the same."""

from domain.controls.policy_changes import Policies
from domain.policy import PolicyVersion

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
