"""The agenda: what has to be looked at again at some time without anybody asking.

An event that begins or changes something which time acts on says which command is then due. The
agenda only names candidates: whether anything happens is for that command to decide, so it may be
late, early or sent twice.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from domain.event import Event

#: The tag of every event that changes the agenda.
AGENDA = "agenda:book"
#: Until what is done once has been answered.
RETRY_EVERY_S = 60


class Due(msgspec.Struct, frozen=True):
    """A command to send at `at`, and again every `every_s` seconds until it is refused."""

    at: datetime
    command: str
    fields: Mapping[str, str | bool]
    every_s: int
    #: Done as soon as it was answered, whatever came of it.
    once: bool = False


#: (what it is about, what is due for it now in place of what was); None: nothing more.
AgendaItem = tuple[str, Due | None]


def ending(lot: str, command: str, user: str, at: datetime | None) -> tuple[AgendaItem, ...]:
    """The end of a lot of `user`'s tokens, by `command`, if it has one."""
    if at is None:
        return ()
    return ((f"lot:{lot}", Due(at, command, {"user": user}, RETRY_EVERY_S, once=True)),)


def maturing(creator: str, at: datetime) -> AgendaItem:
    """The maturity of `creator`'s earnings of an hour; all sales of that hour are one item."""
    due = Due(at, "mature-earnings", {"creator": creator}, RETRY_EVERY_S, once=True)
    return f"maturity:{creator}:{at:%Y-%m-%dT%H}", due


class AgendaEvent(Event, frozen=True):
    """An event after which something else, or nothing more, is due."""

    def agenda(self) -> AgendaItem:
        """(tag of the entity, what is due for it now in place of what was); None: nothing."""
        raise NotImplementedError(type(self).__name__)

    def agenda_items(self) -> tuple[AgendaItem, ...]:
        """All that it changes; most events change one thing."""
        return (self.agenda(),)
