"""What a read model does with an event, found by the event's class or its nearest base.

What `functools.singledispatch` does, an order of magnitude faster: classes of events are few and
never change, so each is looked up along its bases once and is a plain dictionary entry after that.

A read model decides about the events of some facets, which are base classes that the domain gives
its events: `WalletEvent`, `CreatorEvent`. Each event of a facet must be decided about, and one that
was forgotten is an error: a read model that guesses is wrong for ever. What lies outside the facets
is no business of the read model and need not be named.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from domain.event import EVENTS, Event

F = TypeVar("F", bound=Callable[..., Any])


class Undecided(LookupError):
    """An event of a read model's facet that has no branch and is not said to need none."""


class ByClass(dict[type[Event], F]):
    """Branches by event class: `branches[type(event)](event, …)`.

    Of the events of `decides_about`, those stored as `postings` count only by what they post, and
    those stored as `nothing` change nothing; all others need a branch. `otherwise` is called for
    both, and for every event outside the facets.
    """

    def __init__(
        self,
        otherwise: F,
        *,
        decides_about: tuple[type[Event], ...],
        postings: str = "",
        nothing: str = "",
    ) -> None:
        super().__init__()
        self._otherwise = otherwise
        self._branches: dict[type[Event], F] = {}
        self.decides_about = decides_about
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

    def undecided(self) -> list[str]:
        """The stored names of known events that `branches[…]` would raise `Undecided` for."""
        return [name for name, cls in EVENTS.items() if not self._decided(cls)]

    def _decided(self, cls: type[Event]) -> bool:
        return (
            not issubclass(cls, self.decides_about)
            or cls.type in self.postings
            or cls.type in self.nothing
            or self.has_branch(cls)
        )

    def __missing__(self, cls: type[Event]) -> F:
        if not self._decided(cls):
            raise Undecided(cls.type)
        for base in cls.__mro__:
            if base in self._branches:
                self[cls] = self._branches[base]
                return self[cls]
        self[cls] = self._otherwise
        return self._otherwise
