"""Importing tips from another system's file, so that doing it again changes nothing.

Senders bought nothing here, so each tip is preceded by a grant of exactly what it needs. The two
stand or fall together under keys made from the tip's reference: a row that comes twice counts
once, a file that grew adds only what is new, and an import that was killed is simply run again.
The file is streamed, and the next rows are admitted while the writer takes the previous ones.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from api.imports.tips_csv import BrokenLine, Tip
from domain.controls.policy_changes import POLICIES, Policies
from domain.policy import Policy
from ledger.log import reading
from ledger.log.entry import decode
from ledger.postgres.database import Connection
from ledger.write.admission import Denied, admit
from ledger.write.answer import Answer
from ledger.write.request import Request
from ledger.write.writer import Unavailable, Writer

#: Rows admitted ahead of the answers: two full batches of two commands a row.
ROWS_AHEAD = 4_096
#: Complaints kept to be shown; all are counted.
SHOWN_MAX = 20
#: How long an absent database is waited for before the import gives up.
PATIENCE_S = 60.0

_COLUMNS = {
    "/user": "sender",
    "/creator": "recipient",
    "/tokens": "units",
    "/amount": "units",
    "/occurred_at": "occurred_at",
    "/idempotency_key": "tip_ref",
    "/correlation_id": "tip_ref",
}
_ID = "must be 1 to 64 of A-Z a-z 0-9 _ -; map what is longer or holds others to an id of its own"


class ImportInterrupted(Exception):
    """The database stayed away; importing the same file again goes on where this ended."""


@dataclass(frozen=True, slots=True)
class Importer:
    """Who sends an import's commands: fixed, because the scope of its keys is."""

    role: str = "service"
    actor: str = "import"
    client: str = "import"


@dataclass(slots=True)
class Tally:
    """So many rows of so many units."""

    rows: int = 0
    units: int = 0

    def count(self, units: int) -> None:
        """One row more."""
        self.rows += 1
        self.units += units


@dataclass(slots=True)
class Report:
    """What became of a file's rows. `repeated`: the same tip twice in this file."""

    read: Tally = field(default_factory=Tally)
    new: Tally = field(default_factory=Tally)
    known: Tally = field(default_factory=Tally)
    repeated: Tally = field(default_factory=Tally)
    refused: Counter[str] = field(default_factory=Counter)
    complaints: list[BrokenLine] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """Rows that are not in the ledger."""
        return self.refused.total()

    @property
    def clean(self) -> bool:
        """Whether every row is in the ledger."""
        return not self.refused

    def tallies(self) -> tuple[tuple[str, Tally], ...]:
        """The tallies with their names, for people."""
        return (
            ("read", self.read),
            ("new tips", self.new),
            ("known from before", self.known),
            ("repeated in the file", self.repeated),
        )

    def complain(self, complaint: BrokenLine) -> None:
        """Count a row that is not in the ledger, and keep the first few to be shown."""
        self.refused[complaint.code] += 1
        if len(self.complaints) < SHOWN_MAX:
            self.complaints.append(complaint)


def policy_misfits(policy: Policy | None) -> list[str]:
    """Why tips cannot be imported one unit for one token under this policy; empty if they can."""
    if policy is None:
        return ["no policy is in force: publish one"]
    misfits = []
    if "TOKEN" not in policy.funding:
        misfits.append("funding must allow TOKEN")
    if "tip" not in policy.products_enabled:
        misfits.append("products_enabled must hold tip")
    if policy.unit_value != 1:
        misfits.append(f"unit_value must be 1 (a unit is a token); it is {policy.unit_value}")
    if policy.revenue_share.of("tip") != 10_000:
        share = policy.revenue_share.of("tip")
        misfits.append(f"revenue_share of a tip must be 10000 bps (all of it); it is {share}")
    if (policy.tip_minimum or 0) > 1:
        misfits.append(f"tip_minimum must not be set; it is {policy.tip_minimum}")
    if "tip" in policy.price_bounds:
        misfits.append("price_bounds must not bound tips")
    if policy.promo_expiry_days is not None:
        misfits.append("promo_expiry_days must not be set: what a tip needs must not expire")
    return misfits


def policy_in_force(connection: Connection, now: datetime) -> Policy | None:
    """The policy under which the book decides a request that is recorded at `now`."""
    policies = Policies()
    for _, data in reading.history(connection, POLICIES):
        policies = policies.apply(POLICIES, decode(data).event())
    for version in reversed(policies.versions()):
        if version.effective_from <= now:
            return version.policy
    return None


@dataclass(slots=True)
class _Sent:
    """A row on its way; `lost` if its first try fell into an outage."""

    tip: Tip
    requests: tuple[Request, Request]
    future: Future[list[Answer]]
    lost: bool = False


class TipImport:
    """One run over one file. `start` is the book's position before it."""

    def __init__(self, writer: Writer, *, start: int, patience_s: float = PATIENCE_S) -> None:
        self.report = Report()
        self._writer = writer
        self._start = start
        self._counted_to = start
        self._patience_s = patience_s
        self._sender = Importer()
        self._waiting: deque[_Sent] = deque()

    def run(self, rows: Iterable[Tip | BrokenLine]) -> Report:
        """Write every tip; raises ImportInterrupted, and what reading the rows raises."""
        try:
            for row in rows:
                if isinstance(row, BrokenLine):
                    self.report.read.count(0)
                    self.report.complain(row)
                else:
                    self.report.read.count(row.units)
                    self._send(row)
        finally:
            while self._waiting:
                self._settle()
        return self.report

    def _send(self, tip: Tip) -> None:
        try:
            requests = self._admitted(tip)
        except Denied as refused:
            self._complain_of_fields(tip, refused)
            return
        if len(self._waiting) >= ROWS_AHEAD:
            self._settle()
        self._waiting.append(_Sent(tip, requests, self._submitted(requests)))

    def _submitted(self, requests: tuple[Request, Request]) -> Future[list[Answer]]:
        try:
            return self._writer.write_soon(requests, atomic=True)
        except Unavailable as away:
            future: Future[list[Answer]] = Future()
            future.set_exception(away)
            return future

    def _admitted(self, tip: Tip) -> tuple[Request, Request]:
        """The grant and the tip. The reference ties both to the row of the file, for auditors."""
        grant = {"user": tip.sender, "tokens": tip.units, "reason_code": "import"}
        spent = {"user": tip.sender, "creator": tip.recipient, "amount": tip.units}
        return (
            self._request("grant-promo", tip, grant),
            self._request("send-tip", tip, {**spent, "funding": "TOKEN"}),
        )

    def _request(self, command: str, tip: Tip, fields: dict[str, Any]) -> Request:
        fields["occurred_at"] = tip.occurred_at
        fields["correlation_id"] = tip.tip_ref
        return admit(
            command,
            fields,
            self._sender,
            idempotency_key=f"tip:{tip.tip_ref}",
            correlation_id=tip.tip_ref,
        )

    def _settle(self) -> None:
        sent = self._waiting.popleft()
        try:
            answers = sent.future.result()
        except Unavailable:
            sent.lost = True
            answers = self._insist(sent.requests)
            self._send_lost_again()
        self._note(sent.tip, answers, after_outage=sent.lost)

    def _send_lost_again(self) -> None:
        """The database is back: all that the same outage took is sent again, together."""
        for sent in self._waiting:
            if sent.future.done() and isinstance(sent.future.exception(), Unavailable):
                sent.lost = True
                sent.future = self._submitted(sent.requests)

    def _insist(self, requests: tuple[Request, Request]) -> list[Answer]:
        """Send again, under the same keys, until the database is back."""
        give_up_at = time.monotonic() + self._patience_s
        pause = threading.Event()
        while True:
            try:
                return self._writer.write(requests, atomic=True)
            except Unavailable as away:
                if time.monotonic() >= give_up_at:
                    self._waiting.clear()
                    raise ImportInterrupted(
                        f"{away.reason}. Import the same file again when it is back: it goes on "
                        "where it was"
                    ) from None
                pause.wait(0.2)

    def _note(self, tip: Tip, answers: list[Answer], *, after_outage: bool) -> None:
        report = self.report
        sent = answers[1]
        if not sent.accepted:
            self._complain_of_refusal(tip, answers)
        elif sent.position <= self._start:
            report.known.count(tip.units)
        elif sent.replayed and (not after_outage or sent.position <= self._counted_to):
            report.repeated.count(tip.units)
        else:
            # Also a replay, if what it repeats is its own first try, lost in an outage.
            self._counted_to = sent.position
            report.new.count(tip.units)

    def _complain_of_fields(self, tip: Tip, refused: Denied) -> None:
        code = refused.rejection.reason.code
        wrong = refused.problems[0]
        column = _COLUMNS.get(wrong.pointer)
        message = _ID if column in {"tip_ref", "sender", "recipient"} else wrong.message
        self.report.complain(BrokenLine(tip.line, column, message, code))

    def _complain_of_refusal(self, tip: Tip, answers: list[Answer]) -> None:
        cause = next(a for a in answers if not a.accepted and a.code != "BATCH_ABORTED")
        code = cause.code or "INTERNAL"
        detail = msgspec.json.decode(cause.body)["detail"]
        if code == "IDEMPOTENCY_KEY_REUSED":
            detail = f"{tip.tip_ref} was imported before with another content; correct the file"
        self.report.complain(BrokenLine(tip.line, None, f"{code}: {detail}", code))
