"""Imports that are killed: the importer, PostgreSQL, both. Running it again makes it whole.

The file is a pipe, so the test decides how much an importer has read when it is killed.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from api.simulation.sample_tips import Shape, tip_rows
from ledger.books import Book, create_book
from ledger.log.reading import head
from ledger.postgres import embedded
from ledger.postgres.database import SERVICE_ROLE, connect
from ledger.postgres.migrations import migrate
from tests.api.imports import tip_sums
from tests.conftest import FreshBook
from tests.scenarios.steps import policy
from tests.scenarios.write_path import WritePath
from tests.support.waiting import until

ROWS = [",".join(row) + "\n" for row in tip_rows(Shape(rows=2_400, repeat_every=80), seed=5)]
HEADER = "tip_ref,occurred_at,sender,recipient,units,content_id,round\n"


@dataclass
class Place:
    """A server of this test's own, a book in it, and the pipe that importers read."""

    server: embedded.Server
    book: Book
    pipe: Path

    @property
    def head(self) -> int:
        with connect(self.server.url(user=SERVICE_ROLE), self.book.schema) as connection:
            return head(connection)

    @contextmanager
    def importer(self, file: Path) -> Iterator["subprocess.Popen[str]"]:
        """An importer as people start it, killed at the end if it still runs."""
        process = subprocess.Popen(
            [sys.executable, "-m", "api", "import", "--book", self.book.name, str(file)],
            env={**os.environ, "TOKENLEDGER_DATA_DIR": str(self.server.data_dir)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    def feed(self, text: IO[str], rows: list[str], *, past: int) -> None:
        """Let the importer read `rows`, and wait until the log has more than `past` events."""
        text.write("".join(rows))
        text.flush()
        until(lambda: self.head > past, f"more than {past} events in the log")

    @contextmanager
    def feeding(self) -> Iterator[IO[str]]:
        """The writing end of the pipe; a reader that was killed breaks it."""
        ends: list[int] = []
        until(lambda: self._open_end(ends), "the importer to open its file")
        os.set_blocking(ends[0], True)
        text = os.fdopen(ends[0], "w")
        try:
            text.write(HEADER)
            yield text
        finally:
            with suppress(BrokenPipeError):
                text.close()

    def _open_end(self, ends: list[int]) -> bool:
        """Open the pipe's writing end; without blocking for ever if nobody comes to read it."""
        with suppress(OSError):  # ENXIO: nobody reads it yet
            ends.append(os.open(self.pipe, os.O_WRONLY | os.O_NONBLOCK))
        return bool(ends)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with embedded.server(tmp_path / "data") as server:
        migrate(server.url())
        book = create_book(server.url(), "tips", currency="USD", time_zone="UTC")
        fresh = FreshBook(book, server.url(user=SERVICE_ROLE), server.url())
        stage = WritePath(fresh).given(policy(tip_sums.TIPS_POLICY))
        stage.close()
        pipe = tmp_path / "pipe.csv"
        os.mkfifo(pipe)
        yield Place(server, book, pipe)


def test_killed_anywhere_and_run_again_it_ends_in_the_same_balances(
    place: Place, tmp_path: Path
) -> None:
    with place.importer(place.pipe) as importer, place.feeding() as text:
        place.feed(text, ROWS[:700], past=200)
        importer.kill()
    after_first_kill = place.head
    assert after_first_kill < 2 * len(ROWS)

    # PostgreSQL dies under an import: that import goes on by itself.
    with place.importer(place.pipe) as importer, place.feeding() as text:
        place.feed(text, ROWS[:1_200], past=max(after_first_kill, 1_600))
        place.server.kill()
        text.write("".join(ROWS[1_200:1_500]))
        text.close()
        out, err = importer.communicate(timeout=90)
        assert importer.returncode == 0, out + err
    after_second = place.head

    with place.importer(place.pipe) as importer, place.feeding() as text:
        place.feed(text, ROWS[:2_000], past=after_second + 300)
        importer.kill()
        place.server.kill()
        importer.wait()
    place.server.start()

    whole = tmp_path / "tips.csv"
    whole.write_text(HEADER + "".join(ROWS))
    for _ in range(2):
        with place.importer(whole) as importer:
            out, err = importer.communicate(timeout=90)
            assert importer.returncode == 0, out + err
    with connect(place.server.url(), place.book.schema) as connection:
        assert tip_sums.in_book(connection) == tip_sums.in_file(whole)
        assert head(connection) == 2 + 2 * len(set(ROWS))
