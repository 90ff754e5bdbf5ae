"""Decides again what was decided, on the states as they were, and compares byte for byte."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple

import msgspec

from domain.accounts import Assets
from domain.command import COMMANDS, Command, Decision, Given, Suspended
from domain.controls.adjustments import AdjustmentProposed
from domain.controls.second_persons import decide
from domain.event import Event
from domain.rejections import Rejection
from ledger.books import Book
from ledger.log.entry import Entry, body_of
from ledger.verification.difference import Difference, shown
from ledger.verification.retelling import Retold, retold, role_of
from ledger.verification.states import FoldedStates
from ledger.write.business_days import BusinessDays
from ledger.write.policies import Found, PublishedPolicies
from ledger.write.request import former_key, request_key

#: By how much of virtual time a batch may be ahead of its first command.
BATCH_TIME_MAX = timedelta(seconds=1)


class Placed(NamedTuple):
    """An entry of the log at its position, with its event."""

    position: int
    entry: Entry
    event: Event


class DecidedAgain(NamedTuple):
    """How many of the events are explained, and what is wrong with them if anything is."""

    events: int
    difference: Difference | None


class Decisions:
    """Decides again; `states` are those before the first event of what is asked about."""

    def __init__(self, book: Book, states: FoldedStates) -> None:
        self._assets = Assets.of(book.name, book.currency)
        self._states = states
        self._days = BusinessDays(book.time_zone)
        self._policies = PublishedPolicies(states)

    def again(self, group: Sequence[Placed]) -> DecidedAgain | None:
        """What the command of these events decides now; None where the log does not tell it.

        Without a key more events than the command's own may be given: only the first are compared.
        """
        difference = None
        try:
            policies = self._policies.at(group[0].entry.recorded_at)
            for told in self._commands(group, policies):
                found = self._compared(told, group, policies)
                if found.difference is None:
                    return found
                difference = difference or found.difference
        except Exception as error:  # noqa: BLE001 -- what is damaged may raise anything
            difference = _wrong(group[0], "a command that can be decided", repr(error))
        return None if difference is None else DecidedAgain(len(group), difference)

    def _commands(self, group: Sequence[Placed], policies: Found) -> Iterator[Retold]:
        if group[0].entry.command not in COMMANDS:
            return iter(())
        return retold([(one.entry, one.event) for one in group], policies[1], self._states)

    def _compared(self, told: Retold, group: Sequence[Placed], policies: Found) -> DecidedAgain:
        first, command = group[0], told.command
        key = first.entry.key
        if key and told.by_name and (notice := command.notice_id()) is not None:
            keys = request_key("", command.name, notice, ""), former_key(notice)
            if bytes.fromhex(key) not in keys:
                expected = f"the key {keys[0].hex()} of the notice {notice}"
                return DecidedAgain(len(group), Difference(first.position, "key", expected, key))
        recorded_at = first.entry.recorded_at
        today = self._days.of(recorded_at)
        found = _differing(self._decide(command, first, today, policies), group)
        if found.difference is not None:
            before = self._days.of(recorded_at - BATCH_TIME_MAX)
            if before != today:
                return _differing(self._decide(command, first, before, policies), group)
        return found

    def _decide(self, command: Command, first: Placed, today: date, policies: Found) -> Decision:
        entry = first.entry
        given = Given(
            self._states,
            *policies,
            entry.recorded_at,
            entry.event_id,
            entry.on_behalf_of or entry.principal,
            self._assets,
            today,
            "",
            entry.principal,
            role_of(first.event),
        )
        return decide(command, given)


def _differing(decision: Decision, group: Sequence[Placed]) -> DecidedAgain:
    events = decision.events if isinstance(decision, Suspended) else decision
    if not isinstance(events, tuple):
        return DecidedAgain(len(group), _wrong(group[0], _told(decision), _named(group[0])))
    if len(events) != len(group) and (group[0].entry.key or not 0 < len(events) < len(group)):
        nth = min(len(events), len(group) - 1)
        expected = f"{len(events)} events: " + ", ".join(event.type for event in events)
        found = f"{len(group)} events, {_named(group[nth])}"
        return DecidedAgain(len(group), _wrong(group[nth], expected, found))
    for event, placed in zip(events, group, strict=False):
        body = body_of(_with_evidence(event, placed.event))
        if body != bytes(placed.entry.body) or event.type != placed.entry.type:
            return DecidedAgain(
                len(group), _wrong(placed, f"{event.type} {body.decode()}", _named(placed))
            )
    return DecidedAgain(len(events), None)


def _with_evidence(decided: Event, stored: Event) -> Event:
    """Evidence is not told again; that its hash is right is asked of the texts."""
    if isinstance(stored, AdjustmentProposed) and isinstance(decided, AdjustmentProposed):
        return msgspec.structs.replace(decided, evidence=stored.evidence)
    return decided


def _wrong(placed: Placed, expected: str, found: str) -> Difference:
    what = f"decision on {placed.entry.command}"
    return Difference(placed.position, what, shown(expected), shown(found))


def _named(placed: Placed) -> str:
    return f"{placed.entry.type} {bytes(placed.entry.body).decode()}"


def _told(decision: Decision) -> str:
    if isinstance(decision, Rejection):
        return f"nothing: rejected with {decision.reason.code}: {decision.detail}"
    return f"nothing: {decision}"
