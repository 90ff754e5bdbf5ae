"""A group on its way to the writer, and what it comes to."""

from collections.abc import Callable
from typing import NamedTuple

from ledger.write.answer import Answer
from ledger.write.group import Group
from ledger.write.unavailable import Unavailable

Outcome = list[Answer] | Unavailable


class Submission(NamedTuple):
    """A group on its way: `deliver` is called once, in the writer's thread."""

    group: Group
    deliver: Callable[[Outcome], None]
