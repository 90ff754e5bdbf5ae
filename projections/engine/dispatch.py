"""Dispatch by an event's class, or the nearest base that has a branch.

What `functools.singledispatch` does, an order of magnitude faster: classes of events are few and
never change, so each is looked up along its bases once and is a plain dictionary entry after that.
An event that nobody decided about is an error: a read model that guesses is wrong for ever.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from domain.event import Event

F = TypeVar("F", bound=Callable[..., Any])


class Undecided(LookupError):
    """A read model that neither has a branch for this event nor says that it needs none."""


class ByClass(dict[type[Event], F]):
    """Branches by event class: `branches[type(event)](event, …)`.

    `otherwise` is for the events stored as `postings`, of which nothing counts but what they post,
    and as `nothing`, which are no business of this read model at all.
    """

    def __init__(self, otherwise: F, *, postings: str = "", nothing: str = "") -> None:
        super().__init__()
        self._otherwise = otherwise
        self._branches: dict[type[Event], F] = {}
        self.postings = frozenset(postings.split())
        self.nothing = frozenset(nothing.split())

    def branch(self, *classes: type[Event]) -> Callable[[F], F]:
        """Register the branch for `classes` and whatever derives from them."""

        def register(function: F) -> F:
            for cls in classes:
                if cls in self._branches:
                    raise ValueError(f"two branches for {cls.__name__}")
                self._branches[cls] = function
            self.clear()
            return function

        return register

    def has_branch(self, cls: type[Event]) -> bool:
        """Whether a branch, its own or that of a base, is for this class."""
        return any(base in self._branches for base in cls.__mro__)

    def __missing__(self, cls: type[Event]) -> F:
        for base in cls.__mro__:
            if base in self._branches:
                self[cls] = self._branches[base]
                return self[cls]
        if cls.type not in self.postings and cls.type not in self.nothing:
            raise Undecided(cls.type)
        self[cls] = self._otherwise
        return self._otherwise
