"""Events: what happened. One class declares one stored fact, with its tags and its postings.

The stored name (`tip.sent.v1`) is written out, never derived from a class name, because an entry
can never be changed: renaming a class must not change storage.
"""

from collections.abc import Callable
from datetime import date
from typing import ClassVar, TypeVar

import msgspec

from domain.accounts import Assets, Posting


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A fact, carrying every computed amount and every party that its postings name."""

    type: ClassVar[str]

    #: By what it can be found and summed. They stand in the entry beside the body, not in it.
    labels: dict[str, str] | None = None

    def labelled_by(self) -> str | None:
        """The tag of the sale or purchase that it undoes or documents, or of the call or the
        authorisation that it is a sale of: it carries the labels of that."""
        return None

    def tags(self) -> tuple[str, ...]:
        """The entities this event touches, as `kind:id`."""
        raise NotImplementedError(type(self).__name__)

    def stated_date(self) -> date | None:
        """The business date that the event itself names; None for that of its time."""
        return None

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """Its double entry, summing to zero per asset; none unless the event moves value."""
        return ()

    def unposted(self) -> int:
        """What it adds to sums of read models where it posts nothing; never below zero."""
        return 0


EVENTS: dict[str, type[Event]] = {}
E = TypeVar("E", bound=type[Event])


def stored_as(name: str) -> Callable[[E], E]:
    """Register an event class under the name and version that is written to the log."""

    def register(cls: E) -> E:
        if name in EVENTS:
            raise ValueError(f"two event classes are stored as {name}")
        cls.type = name
        EVENTS[name] = cls
        return cls

    return register
