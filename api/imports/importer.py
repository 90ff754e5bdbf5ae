"""Importing the rows of another system's file, so that doing it again changes nothing.

The commands of a row stand or fall together, under keys made from the row's own content: a row
that comes twice counts once, a file that grew adds only what is new, and an import that was killed
is simply run again. The file is streamed, and the next rows are admitted while the writer takes
the previous ones.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass

import msgspec

from api.imports.csv_rows import BrokenLine, Row, Rows
from api.imports.report import Report
from api.imports.translation import Made, Taken, Translator
from api.imports.values import Complaint
from domain.command import COMMANDS
from ledger.write.admission import Denied, admit
from ledger.write.answer import Answer
from ledger.write.request import Request
from ledger.write.unavailable import Unavailable
from ledger.write.writer import Writer

#: Rows admitted ahead of the answers: two full batches of two commands a row.
ROWS_AHEAD = 4_096
#: How long an absent database is waited for before the import gives up.
PATIENCE_S = 60.0


class ImportInterrupted(Exception):
    """The database stayed away; importing the same file again goes on where this ended."""


@dataclass(frozen=True, slots=True)
class Importer:
    """Who sends an import's commands: fixed, because the scope of its keys is."""

    role: str = "service"
    actor: str = "import"
    client: str = "import"
    is_person: bool = False


_SERVICE, _FINANCE = Importer(), Importer("finance")


def admitted(made: Made) -> Request:
    """The request of a command that a row became; raises Complaint."""
    roles = COMMANDS[made.command].roles
    try:
        return admit(
            made.command,
            made.fields,
            _SERVICE if "service" in roles else _FINANCE,
            idempotency_key=made.key,
            correlation_id=made.fields.get("correlation_id", "import"),
        )
    except Denied as denied:
        code = denied.rejection.reason.code
        if not denied.problems:
            raise Complaint(None, denied.rejection.detail, code) from None
        wrong = denied.problems[0]
        raise made.complaint(wrong.pointer, wrong.message, code) from None


@dataclass(slots=True)
class _Sent:
    """A row on its way; `lost` if its first try fell into an outage."""

    row: Row
    taken: Taken
    requests: list[Request]
    future: Future[list[Answer]]
    lost: bool = False


class FileImport:
    """One run over one file. `start` is the book's position before it."""

    def __init__(
        self, writer: Writer, *, start: int, noun: str = "rows", patience_s: float = PATIENCE_S
    ) -> None:
        self.report = Report(noun)
        self._writer = writer
        self._start = start
        self._counted_to = start
        self._patience_s = patience_s
        self._waiting: deque[_Sent] = deque()

    def run(self, rows: Rows, translator: Translator) -> Report:
        """Write every row; raises ImportInterrupted, and what reading the rows raises."""
        try:
            for row, taken in _taken(rows, translator, self.report):
                self._send(row, taken)
        finally:
            try:
                while self._waiting:
                    self._settle()
            finally:
                _close(rows, self.report)
        return self.report

    def _send(self, row: Row, taken: Taken) -> None:
        try:
            requests = [admitted(made) for made in taken.commands]
        except Complaint as complaint:
            self.report.complain(_broken(row, complaint))
            return
        self._waiting.append(_Sent(row, taken, requests, self._submitted(requests)))
        if len(self._waiting) > ROWS_AHEAD:
            self._settle()

    def _submitted(self, requests: list[Request]) -> Future[list[Answer]]:
        try:
            return self._writer.write_soon(requests, atomic=True)
        except Unavailable as away:
            future: Future[list[Answer]] = Future()
            future.set_exception(away)
            return future

    def _settle(self) -> None:
        sent = self._waiting.popleft()
        try:
            answers = sent.future.result()
        except Unavailable:
            sent.lost = True
            answers = self._insist(sent)
            self._send_lost_again()
        self._note(sent, answers)

    def _send_lost_again(self) -> None:
        """The database is back: all that the same outage took is sent again, together."""
        for sent in self._waiting:
            if sent.future.done() and isinstance(sent.future.exception(), Unavailable):
                sent.lost = True
                sent.future = self._submitted(sent.requests)

    def _insist(self, sent: _Sent) -> list[Answer]:
        """Send again, under the same keys, until the database is back."""
        give_up_at = time.monotonic() + self._patience_s
        pause = threading.Event()
        while True:
            try:
                return self._writer.write(sent.requests, atomic=True)
            except Unavailable as away:
                if time.monotonic() >= give_up_at:
                    for lost in (sent, *self._waiting):
                        self.report.unanswered.count(lost.taken.amount, lost.row.lines)
                    self._waiting.clear()
                    raise ImportInterrupted(
                        f"{away.reason}. Import the same file again when it is back: it goes on "
                        "where it was"
                    ) from None
                pause.wait(0.2)

    def _note(self, sent: _Sent, answers: list[Answer]) -> None:
        report, amount, lines = self.report, sent.taken.amount, sent.row.lines
        if not all(answer.accepted for answer in answers):
            self._complain_of_refusal(sent, answers)
            return
        report.kept.update(answer.code for answer in answers if answer.code)
        position = max(answer.covers for answer in answers)
        replayed = all(answer.replayed for answer in answers)
        nothing_new = not any(answer.replayed or answer.events for answer in answers)
        if position <= self._start or nothing_new:
            report.known.count(amount, lines)
        elif replayed and (not sent.lost or position <= self._counted_to):
            report.repeated.count(amount, lines)
        else:
            # Also a replay, if what it repeats is its own first try, lost in an outage.
            self._counted_to = position
            report.new.count(amount, lines)

    def _complain_of_refusal(self, sent: _Sent, answers: list[Answer]) -> None:
        refusals = ((a, made) for a, made in zip(answers, sent.taken.commands, strict=True))
        cause, made = next(
            (answer, made)
            for answer, made in refusals
            if not answer.accepted and answer.code != "BATCH_ABORTED"
        )
        code = cause.code or "INTERNAL"
        detail = msgspec.json.decode(cause.body)["detail"]
        if code == "IDEMPOTENCY_KEY_REUSED":
            detail = f"{made.key} was imported before with another content; correct the file"
        self.report.complain(_broken(sent.row, Complaint(None, f"{code}: {detail}", code)))


def dry_run(
    rows: Rows,
    translator: Translator,
    report: Report,
    *,
    show: Callable[[Row, Taken], object],
    complain: Callable[[BrokenLine], object],
) -> None:
    """Read and admit every row without writing any; `show` and `complain` hear of each.

    In the report, `new` counts what a run would send.
    """
    try:
        for row, taken in _taken(rows, translator, report, complain):
            try:
                for made in taken.commands:
                    admitted(made)
            except Complaint as complaint:
                broken = _broken(row, complaint)
                report.complain(broken)
                complain(broken)
            else:
                report.new.count(taken.amount, row.lines)
                show(row, taken)
    finally:
        _close(rows, report)


def _taken(
    rows: Rows,
    translator: Translator,
    report: Report,
    complain: Callable[[BrokenLine], object] = lambda _: None,
) -> Iterator[tuple[Row, Taken]]:
    """The rows that become commands; the others are counted, and complained of where wrong."""
    for row in rows:
        if isinstance(row, BrokenLine):
            broken = row
        else:
            try:
                taken = translator.take(row)
            except Complaint as complaint:
                broken = _broken(row, complaint)
            else:
                report.read.count(taken.amount, row.lines)
                if taken.commands:
                    yield row, taken
                else:
                    report.skipped.count(0, row.lines)
                continue
        report.read.count(0, broken.lines)
        report.complain(broken)
        complain(broken)


def _close(rows: Rows, report: Report) -> None:
    report.lines_read = rows.lines_read
    report.header_lines = rows.header_lines
    report.blank_lines = rows.blank_lines


def _broken(row: Row, complaint: Complaint) -> BrokenLine:
    return BrokenLine(row.line, complaint.column, complaint.message, complaint.code, row.lines)
