"""Labels: by what senders find and sum their sales, and what undoes those sales."""

from itertools import islice
from typing import Protocol, TypeVar

import msgspec

from domain.event import Event

#: Of one event: those of its command, and inherited ones.
LABELS_MAX_IN_ALL = 16

E = TypeVar("E", bound=Event)


class Labelled(Protocol):
    """The state of something that was sold, or of what sales come of."""

    @property
    def labels(self) -> dict[str, str] | None:
        """Those of the sale or purchase, the call or authorisation."""


def labelled(event: E, own: dict[str, str] | None, origin: Labelled | None) -> E:
    """`event` with `own` labels, unless it has some, and with those of its `origin`.

    On an equal key the origin's holds: what undoes a sale is summed where the sale is. A command
    brings at most 8, and there are at most 16 in all: of a sale that inherited some, and of a
    refund with more of its own, the last ones by key are left out.
    """
    labels = event.labels or own
    inherited = None if origin is None else origin.labels
    if inherited:
        others = (pair for pair in sorted((labels or {}).items()) if pair[0] not in inherited)
        labels = {**inherited, **dict(islice(others, LABELS_MAX_IN_ALL - len(inherited)))}
    return msgspec.structs.replace(event, labels=labels) if labels else event
