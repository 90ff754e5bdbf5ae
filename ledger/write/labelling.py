"""Labels of what a command wrote: its own, and those of what it undoes or documents."""

from collections.abc import Mapping, Sequence

from domain.entity import State, States
from domain.event import Event
from domain.labels import Labelled, labelled
from ledger.write.encoding import PendingEvent


def labelled_event(
    event: Event,
    own: dict[str, str] | None,
    before: Sequence[PendingEvent],
    changes: Mapping[str, State],
    states: States,
) -> Event:
    """The event with `own` labels and those of its origin; may raise MissingState.

    `before` are the events of the same command that come first. What that command itself sold is
    named by the first one's id, and there is no state of it to load.
    """
    origin = event.labelled_by()
    if origin is None:
        return labelled(event, own, None)
    if before and origin.endswith(before[0].recorded.event_id):
        for earlier in before:
            if origin in earlier.tags:
                return labelled(event, own, earlier.event)
    state: Labelled = changes.get(origin) or states[origin]  # type: ignore[assignment]
    if own is None and state.labels is None:  # nearly always
        return event
    return labelled(event, own, state)
