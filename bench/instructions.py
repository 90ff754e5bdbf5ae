"""Instructions per command and step of the write path, counted by valgrind's callgrind.

Seconds drift with whatever else a machine does; instructions do not, so what a change costs shows
to half a percent. Counted is what Python and its libraries do in the writer's process, from a line
of NDJSON to packed rows; there is no database, states are in memory. Not a part of `make bench`:
`python -m bench.instructions [LOAD…]`, with valgrind installed. docs/performance.md explains it.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.load import POLICY, Load, Sender, requests
from domain.calls.metering import MeterCall
from domain.controls.periods import PERIODS
from domain.controls.policy_changes import POLICIES
from domain.entity import KINDS
from ledger import gc_tuning as collector
from ledger.books import Book
from ledger.log.event_ids import event_ids
from ledger.write.admission import admit
from ledger.write.answer import Answer
from ledger.write.batch import Batch
from ledger.write.inbox import Inbox
from ledger.write.request import Request, unremembered
from ledger.write.sequencer import ENCODE_COMMANDS
from ledger.write.state_cache import CachedState, StateCache, WorkingStates

LOADS = ("mix", "tip", "unlock", "purchase", "block")
STEPS = ("admit", "open", "decide", "encode", "receipts", "hand over", "answer")
COMMANDS = 128
WALLETS, CREATORS = 300, 100
BLOCK_S = 5
#: A function of libc that Python calls for nothing else: where it is called, callgrind writes down
#: what it has counted, and begins anew.
MARK = "getpriority"


class Counted:
    """A book in memory, whose steps are marked for callgrind and told in the same order."""

    def __init__(self) -> None:
        self._book = Book("counted", "book_counted", "USD", "UTC")
        self._cache, self._new_id = StateCache(200_000), event_ids()
        self._position, self._clock = 0, datetime(2026, 11, 28, 1, tzinfo=UTC)
        self._load = ""
        self.load = Load(seed=1, wallets=WALLETS, creators=CREATORS)

    def prepared(self) -> None:
        """A policy, and tokens in every wallet."""
        proposal = {
            "body": POLICY | {"block_seconds": BLOCK_S},
            "effective_from": "1970-01-01T00:00:00Z",
        }
        for role, name, fields in (
            ("admin", "propose-policy", proposal),
            ("approver", "approve-policy", {"version": 1}),
        ):
            sender = Sender(role, role)
            self._pass([admit(name, fields, sender, idempotency_key=name, correlation_id="bench")])
        self._pass(requests(self.load.purchases(0, WALLETS)))
        self._pass(requests(self.load.mixed(COMMANDS)))

    def count(self, load: str) -> None:
        """Count one load; what is sent once is warm the second time."""
        make = self._blocks() if load == "block" else self._lines(load)
        for self._load in ("", load):
            admit_all = next(make)
            with self._marked("admit"):
                admitted = admit_all()
            self._pass(admitted)

    def _lines(self, load: str) -> Iterator[Callable[[], list[Request]]]:
        name = {"tip": b"send-tip", "unlock": b'"unlock"', "purchase": b"record-purchase"}.get(load)
        while True:
            found: list[bytes] = []
            while len(found) < COMMANDS:
                found += [one for one in self.load.mixed() if name is None or name in one]
            yield lambda: requests(found[:COMMANDS])  # noqa: B023 -- called before the next

    def _blocks(self) -> Iterator[Callable[[], list[Request]]]:
        """One block of every call, as the scheduler asks for it."""
        self._pass(requests(self.load.verified()))
        self._pass(requests(self.load.calls(0, COMMANDS)))
        while True:
            self._clock += timedelta(seconds=BLOCK_S)
            yield lambda: [
                unremembered(MeterCall(call=f"call{n}"), actor="scheduler", correlation_id="bench")
                for n in range(COMMANDS)
            ]

    def _pass(self, admitted: list[Request]) -> None:
        """As a sequencer's batch, without its statements."""
        with self._marked("open"):
            states = WorkingStates(self._cache)
            lacking = states.lacking(
                [POLICIES, PERIODS, *chain.from_iterable(one.needs for one in admitted)]
            )
            batch = Batch(
                self._book,
                states,
                position=self._position,
                volume=0,
                clock=self._clock,
                new_id=self._new_id,
                inbox=Inbox(),
            )
            for key in lacking:
                states.load(key, CachedState(KINDS[key.partition(":")[0]](), 0, 0))
        answers: list[Answer] = []
        for at in range(0, len(admitted), ENCODE_COMMANDS):
            with self._marked("decide"):
                answers += [batch.answer(one) for one in admitted[at : at + ENCODE_COMMANDS]]
            with self._marked("encode"):
                batch.encode()
        with self._marked("receipts"):
            batch.take_rows()
        with self._marked("hand over"):
            states.hand_over(batch.touched)
            self._cache.take_due()
        with self._marked("answer"):
            bodies = [answer.body for answer in answers]
        assert {answer.status for answer in answers} == {201}, bodies
        self._position, self._clock = batch.position, batch.clock + timedelta(milliseconds=40)

    @contextmanager
    def _marked(self, step: str) -> Iterator[None]:
        """Tells what callgrind's next two records are: what came before a step, and the step."""
        os.getpriority(os.PRIO_PROCESS, 0)
        yield
        os.getpriority(os.PRIO_PROCESS, 0)
        print(f"{self._load}:{step}", flush=True)


def main(loads: list[str]) -> None:
    """Count the named loads, or all of them, and print a table."""
    wanted = loads or list(LOADS)
    if unknown := set(wanted) - set(LOADS):
        sys.exit(f"there is no load {', '.join(sorted(unknown))}; loads: {', '.join(LOADS)}")
    with tempfile.TemporaryDirectory() as folder:
        counting = [sys.executable, "-m", "bench.instructions", "--counting", *wanted]
        callgrind = [
            *("valgrind", "--tool=callgrind", f"--dump-before={MARK}"),
            *(f"--callgrind-out-file={folder}/out", f"--log-file={folder}/log"),
        ]
        env = os.environ | {"PYTHONHASHSEED": "0"}
        done = subprocess.run(
            [*callgrind, *counting], env=env, stdout=subprocess.PIPE, check=True, text=True
        )
        counted: defaultdict[tuple[str, str], int] = defaultdict(int)
        for nth, told in enumerate(done.stdout.split("\n")[:-1], 1):
            load, _, step = told.partition(":")
            counted[load, step] += _total(Path(folder, f"out.{2 * nth}"))
    Console().print(_table(wanted, counted))


def _total(record: Path) -> int:
    found = re.search(r"^totals: (\d+)", record.read_text(), re.MULTILINE)
    assert found is not None, record
    return int(found[1])


def _table(loads: list[str], counted: dict[tuple[str, str], int]) -> Table:
    table = Table(title="instructions per command")
    for column in ("step", *loads):
        table.add_column(column, justify="right")
    for step in STEPS:
        table.add_row(step, *(f"{counted[load, step] / COMMANDS:,.0f}" for load in loads))
    whole = (sum(counted[load, step] for step in STEPS) / COMMANDS for load in loads)
    table.add_row("all", *(f"{each:,.0f}" for each in whole))
    return table


def _count(loads: list[str]) -> None:
    collector.relax()
    book = Counted()
    book.prepared()
    for load in loads:
        book.count(load)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--counting"]:
        _count(sys.argv[2:])
    else:
        main(sys.argv[1:])
