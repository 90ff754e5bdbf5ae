"""The auditor reads a real log: every command must have got the answer that the auditor gives.

The order of the log is the serial order; what left no event was decided at the position that its
answer names. A notice that had waited is heard again where its events stand.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from ledger.log.entry import Entry
from ledger.write.answer import Answer
from tests.reference_model.invariants import Witness
from tests.reference_model.model import Auditor
from tests.reference_model.reading import holds
from tests.scenarios.steps import Sent
from tests.scenarios.write_path import WritePath

TICK = timedelta(microseconds=1)
Outcomes = Sequence[tuple[Sent, Answer]]
NAMED = ("processor", "command", "processor_ref")
#: What is told of a parked notice whose turn came and that had nothing new to say any more.
RELEASED = "released without an event"


class Heard(NamedTuple):
    """Something that was decided: where, and what was answered; silent ones after `position`."""

    position: int
    silent: bool
    sent: Sent
    status: int
    told: dict[str, Any]
    entries: list[Entry]


def audit(stage: WritePath, outcomes: Outcomes) -> Auditor:
    """Let the auditor hear everything in the order of the log; then compare the accounts."""
    entries = stage.entries()
    auditor = Auditor(stage.book.name)
    waiting: list[Sent] = []
    for heard in sorted(decided(stage, entries, outcomes), key=lambda one: one[:2]):
        now = heard.entries[0].recorded_at if heard.entries else after(entries, heard.position)
        verdict = hear(auditor, heard.sent, now, heard.entries)
        outcome, code = outcome_of(heard)
        details = heard.told.get("details", {})
        bodies = [msgspec.json.decode(entry.body) for entry in heard.entries]
        holds(verdict, outcome, code, details=details, bodies=bodies)
        if outcome == "parked":
            waiting.append(heard.sent)
        elif RELEASED in heard.told:
            waiting.remove(heard.sent)
    witnessed(stage, entries, auditor)
    applied = {entry.key for entry in entries}
    now = after(entries, len(entries))
    for sent in waiting:
        if stage.request(sent).key.hex() not in applied:
            assert hear(auditor, sent, now, []).outcome in ("parked", "nothing"), sent
    return auditor


def hear(auditor: Auditor, sent: Sent, now: datetime, entries: list[Entry]) -> Any:
    """The auditor's verdict on a command."""
    return auditor.hears(
        sent.command,
        sent.fields,
        now=now,
        actor=sent.actor,
        new_id=entries[0].event_id if entries else "",
        told=[(entry.type, msgspec.json.decode(entry.body)) for entry in entries],
    )


def decided(stage: WritePath, entries: list[Entry], outcomes: Outcomes) -> Iterator[Heard]:
    """Everything that was decided, and notices that had waited once more."""
    left = dict(enumerate(entries, 1))
    written_by = {entry.key for entry in entries}
    waited: dict[str, list[Sent]] = {}
    for sent, answer in outcomes:
        if answer.code == "AWAITING_REFERENT":
            waited[stage.request(sent).key.hex()] = [sent]
    for sent, answer in outcomes:
        told = msgspec.json.decode(answer.body)
        written = [left.pop(event.position) for event in answer.events]
        position = answer.events[0].position if written else answer.position
        yield Heard(position, not written, sent, answer.status, told, written)
        for released in told.get("released", ()):
            for key, (parked,) in waited.items():
                if key not in written_by and named(parked) == tuple(released[f] for f in NAMED):
                    said_nothing = {"outcome": "accepted", RELEASED: True}
                    yield Heard(released["position"], True, parked, 201, said_nothing, [])
    for position, entry in sorted(left.items()):
        if position not in left:
            continue
        mine = [at for at, other in left.items() if other.key == entry.key]
        written = [left.pop(at) for at in sorted(mine)]
        (sent,) = waited.get(entry.key) or [unheard(entry)]
        yield Heard(position, False, sent, 201, heard_again(written), written)


def named(sent: Sent) -> tuple[str, ...]:
    """How processors name a notice."""
    return tuple({**sent.fields, "command": sent.command}[field] for field in NAMED)


def heard_again(entries: list[Entry]) -> dict[str, Any]:
    """What nobody was answered when a notice that had waited was decided, by what it left."""
    told = {"outcome": "accepted"}
    for entry in entries:
        code = msgspec.json.decode(entry.body).get("code")
        if entry.type == "refund.ignored.v1":
            told = {"outcome": "ignored", "code": code}
        elif entry.type == "payment.suspended.v1" and code != "REFUND_FAILED":
            told = {"outcome": "suspended", "code": code}  # a failed refund comes back out of it
    return told


def unheard(entry: Entry) -> Sent:
    """What had been sent before anybody listened: policies."""
    body = msgspec.json.decode(entry.body)
    names = {
        "propose-policy": ("body", "effective_from"),
        "approve-policy": ("version",),
    }[entry.command]
    return Sent(entry.command, {name: body[name] for name in names}, actor=entry.principal)


def after(entries: list[Entry], position: int) -> datetime:
    """The earliest time at which something was decided after `position`."""
    return entries[position - 1].recorded_at + TICK


def outcome_of(heard: Heard) -> tuple[str, str | None]:
    """(outcome, code) as the auditor puts it."""
    if heard.status >= 400:
        return "rejected", heard.told["code"]
    outcome = heard.told["outcome"]
    if outcome == "accepted" and not heard.entries:
        outcome = "nothing"
    return outcome, heard.told.get("code")


def witnessed(stage: WritePath, entries: list[Entry], auditor: Auditor) -> None:
    """The witness has seen nothing wrong, and the books are the auditor's."""
    witness = Witness()
    for entry in entries:
        body = msgspec.json.decode(entry.body)
        witness.sees(entry.type, body, entry.postings)
        witness.finds_labels(entry.type, body, entry.labels, None)
    witness.finds_all_tax_documented()
    balances = {key: amount for key, amount in stage.balances().items() if amount}
    assert balances == {key: amount for key, amount in auditor.accounts.items() if amount}
