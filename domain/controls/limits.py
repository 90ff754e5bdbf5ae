"""Limits: no state grows without bound, so no history makes a book slow.

Each kind of state says how long its lists may become. A request that would make one longer is
refused. A notice is a fact and may go twice as far; beyond that it is not taken either, and its
processor has to send it again once somebody has seen why.
"""

from typing import NamedTuple

from domain.command import Command, Decision, Given, Suspended
from domain.controls import erasure
from domain.entity import MissingState, State, kind_of
from domain.event import Event
from domain.rejections import LIMIT_REACHED, Rejection, reject

#: By how much further than requests notices may go.
ROOM_FOR_NOTICES = 2


class Overflow(NamedTuple):
    """A list that would become too long."""

    entity: str
    what: str
    limit: int


def decide(command: Command, given: Given) -> Decision:
    """What is decided on `command`, unless a list would become too long by it."""
    return bounded(command, given, erasure.decide(command, given))


def bounded(command: Command, given: Given, decision: Decision) -> Decision:
    """`decision`, unless a list would become too long by it."""
    if isinstance(decision, Suspended):
        events = decision.events
    elif command.grows and isinstance(decision, tuple):
        events = decision
    else:
        return decision
    found = overflow(given, events, 1 if command.notice_id() is None else ROOM_FOR_NOTICES)
    return decision if found is None else refused(found)


def refused(found: Overflow) -> Rejection:
    """The rejection of what would make a list too long."""
    subject = found.entity.replace(":", " ", 1)
    return reject(LIMIT_REACHED, subject=subject, what=found.what, limit=found.limit)


def overflow(given: Given, events: tuple[Event, ...], times: int) -> Overflow | None:
    """The first list that `events` make longer than `times` its limit."""
    before: dict[str, State] = {}
    after: dict[str, State] = {}
    for event in events:
        for key in event.tags():
            kind = kind_of(key)
            if kind is None or not kind.LISTS:
                continue
            if key not in after:
                try:
                    before[key] = after[key] = given.states[key]
                except MissingState:  # nothing was decided on it
                    continue
            after[key] = after[key].apply(key, event)
    for key, state in after.items():
        for what, limit in state.LISTS.items():
            length = len(getattr(state, what))
            if length > times * limit and length > len(getattr(before[key], what)):
                return Overflow(key, what, times * limit)
    return None
