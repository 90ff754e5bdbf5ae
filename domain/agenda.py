"""The agenda: what has to be looked at again at some time without anybody asking.

An event that begins or changes something which time acts on says which command is then due. The
agenda only names candidates: whether anything happens is for that command to decide, so it may be
late, early or sent twice.
"""

from datetime import datetime

import msgspec

from domain.event import Event

AGENDA = "agenda:book"
"""The tag of every event that changes the agenda."""


class Due(msgspec.Struct, frozen=True):
    """A command to send at `at`, and again every `every_s` seconds until it is refused."""

    at: datetime
    command: str
    fields: dict[str, str]
    every_s: int


class AgendaEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An event after which something else, or nothing more, is due."""

    def agenda(self) -> tuple[str, Due | None]:
        """(tag of the entity, what is due for it now in place of what was); None: nothing."""
        raise NotImplementedError(type(self).__name__)
