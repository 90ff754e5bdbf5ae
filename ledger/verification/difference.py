"""What verification finds: a difference is data, in the order in which it is found."""

from collections.abc import Callable

import msgspec

#: Called with (done, total).
Progress = Callable[[int, int], None]

#: Rows listed of one kind of damage that a query finds.
LISTED_MAX = 100
SHOWN_CHARS_MAX = 2_000


class Difference(msgspec.Struct, frozen=True):
    """Something that is not what it must be. `position` is None where it has none."""

    position: int | None
    what: str
    expected: str
    found: str


def shown(value: object) -> str:
    """A value as a difference shows it, cut where it is long."""
    text = str(value)
    return text if len(text) <= SHOWN_CHARS_MAX else f"{text[:SHOWN_CHARS_MAX]}…"


def nobody_watches(_done: int, _total: int) -> None:
    """Progress that nobody wants to see."""
