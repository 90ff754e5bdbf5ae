"""Labels: by what senders find and sum their sales, and what undoes those sales."""

from typing import Protocol, TypeVar

import msgspec

from domain.event import Event

E = TypeVar("E", bound=Event)


class Labelled(Protocol):
    """The state of something that was sold."""

    @property
    def labels(self) -> dict[str, str] | None:
        """Those of the sale or purchase."""


def labelled(event: E, own: dict[str, str] | None, origin: Labelled | None) -> E:
    """`event` with `own` labels, unless it has some, and with those of its `origin`.

    On an equal key the origin's holds: what undoes a sale is summed where the sale is. Each brings
    at most 8, so there are at most 16.
    """
    labels = event.labels or own
    inherited = None if origin is None else origin.labels
    if inherited:
        labels = {**(labels or {}), **inherited}
    return msgspec.structs.replace(event, labels=labels) if labels else event
