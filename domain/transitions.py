"""State machines as data: which step leads from which status to which.

Each concept's noun has such a table, and nothing else says what an invalid transition is: commands
ask it, tests walk it, and `docs/state_machines.md` is drawn from it. A step is named by its
command, or by its cause where no command of its own takes it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

S = TypeVar("S", bound=StrEnum)

#: (status, step) to the status afterwards; None is the status of what does not exist yet.
Transitions = Mapping[tuple[S | None, str], S]

#: The step that time takes, whether or not the scheduler has come to it.
EXPIRY = "expiry"
