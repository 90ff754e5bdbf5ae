"""Rebuilds read models from the log beside the live ones, and puts them in their place.

Readers notice nothing: new tables are filled and indexed beside the live ones, compared with them
if they are of one version, and swapped in one transaction, in which the live runner waits for
its checkpoint. A long log is folded by as many processes as there are cores, four at most, among
which the read models are shared out by their weight.
A rebuild that was killed is taken up where it stopped: its tables and checkpoints are still there.
"""

import gc
import multiprocessing
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from contextlib import contextmanager

import msgspec
from psycopg import errors, sql

from ledger import logs
from ledger.books import Book
from ledger.log.reading import head as head_of
from ledger.postgres import sql_files
from ledger.postgres.database import Connection, Database, connect, read_schema
from projections.catalogue import PROJECTIONS, named
from projections.engine.checkpoints import checkpoint
from projections.engine.compare import RowDifference, differences
from projections.engine.hold import held
from projections.engine.install import create, drop, install
from projections.engine.projection import BESIDE, Projection, template
from projections.engine.runner import Runner

SQL = sql_files.load("checkpoints", "projections")
TABLES = sql_files.load("tables", "projections")

#: A shorter log is folded before a second process has started.
PROCESSES_FROM_EVENTS = 100_000
PROCESSES_MAX = 4
PROGRESS_EVERY_S = 0.2
SWAPS_MAX, SWAP_WAIT_S = 20, 3.0

log = logs.get_logger(__name__)

#: Called with (done, total), both in events times projections.
Progress = Callable[[int, int], None]


class RebuildFailed(Exception):
    """A projection cannot pass an event of the log; what is live stays as it was."""


class AlreadyRebuilding(Exception):
    """Another process rebuilds this projection at present."""


class Rebuilt(msgspec.Struct, frozen=True):
    """A projection that was rebuilt and swapped in. `differences`: what the live one had wrong."""

    name: str
    version: int
    position: int
    compared: bool
    differences: tuple[RowDifference, ...]


def rebuild(
    database: Database,
    book: Book,
    names: Collection[str] | None = None,
    *,
    anew: bool = False,
    progress: Progress = lambda _done, _total: None,
) -> list[Rebuilt]:
    """Rebuild the projections of `names`, or all; blocks, and reports `progress`.

    What a rebuild that was broken off has left is gone on with, unless all is to be made `anew`.
    Raises RebuildFailed, AlreadyRebuilding, and what psycopg raises; the live read models are
    then as they were.
    """
    kinds = [kind for kind in PROJECTIONS if names is None or kind.name in names]
    url = database.service_url
    with _connect(url, book.schema) as watch:
        install(watch, [kind() for kind in kinds])
        if anew:
            _drop_leftovers(watch, [kind(BESIDE) for kind in kinds])
        for kind in kinds:
            _claim(watch, f"{kind.name} rebuild")
        head = head_of(watch)
        groups = shared_out(kinds, min(len(os.sched_getaffinity(0)), PROCESSES_MAX))
        report = _Reporter(head * len(kinds), progress)
        if head < PROCESSES_FROM_EVENTS or len(groups) == 1:
            build(url, book.schema, [kind.name for kind in kinds], head, report.add)
        else:
            _build_in_processes(watch, url, book.schema, groups, report)
        rebuilt = [_swap(url, book.schema, kind.name) for kind in kinds]
        catch_up(url, book.schema, kinds)
        report.end()
    return rebuilt


def shared_out(kinds: Sequence[type[Projection]], processes: int) -> list[list[str]]:
    """The names of `kinds` in at most so many groups.

    Those that look at postings alone are one, so that a process less decodes the bodies of all
    events; the others are shared out by their weight.
    """
    if processes == 1:
        return [[kind.name for kind in kinds]]
    without = [kind for kind in kinds if not kind.bodies]
    groups: list[list[type[Projection]]] = [[] for _ in range(processes - bool(without))]
    for kind in sorted((kind for kind in kinds if kind.bodies), key=lambda kind: -kind.weight):
        min(groups, key=lambda group: sum(each.weight for each in group)).append(kind)
    return [[kind.name for kind in group] for group in (without, *groups) if group]


def build(
    url: str,
    schema: str,
    names: Sequence[str],
    target: int,
    added: Callable[[int], None] = lambda _events: None,
) -> None:
    """Fill new tables beside the live ones up to `target`, or to where a live one is to be met."""
    shadows = [named(name, BESIDE) for name in names]
    with _connect(url, schema) as connection:
        for shadow in shadows:
            _claim(connection, shadow.checkpoint)
        target = min(target, *(_comparable_at(connection, shadow) for shadow in shadows))
        for shadow in shadows:
            if not _goes_on(connection, shadow, target):
                with connection.transaction():
                    _drop(connection, shadow)
                    create(connection, shadow, indexed=False)
        runner = Runner(connection, shadows)
        runner.take_over()
        added(sum(follower.position for follower in runner.followers))
        _fold(runner, target, added)
        for shadow in shadows:
            _index(connection, shadow)


def _goes_on(connection: Connection, shadow: Projection, target: int) -> bool:
    """Whether what an earlier rebuild has left can be gone on with."""
    left = checkpoint(connection, shadow.checkpoint)
    return left.version == shadow.version and left.position <= target


def _drop(connection: Connection, shadow: Projection) -> None:
    drop(connection, shadow)
    connection.execute(SQL["forget"], (_indexed(shadow),))


def _drop_leftovers(connection: Connection, shadows: Sequence[Projection]) -> None:
    for shadow in shadows:
        _claim(connection, shadow.checkpoint)
        with connection.transaction():
            _drop(connection, shadow)
    connection.execute(SQL["release_all"])


def _index(connection: Connection, shadow: Projection) -> None:
    """Make the indexes, once: a checkpoint of their own says that they are there."""
    with connection.transaction():
        mark = (_indexed(shadow), shadow.version)
        if connection.execute(SQL["follow"], mark).fetchone() is not None:
            connection.execute(shadow.sql["indexes"])


def _indexed(shadow: Projection) -> str:
    return f"indexes of {shadow.checkpoint}"


class _Reporter:
    """Adds up the events that were folded and reports them as progress."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def add(self, events: int) -> None:
        self.reach(self._done + events)

    def reach(self, done: int) -> None:
        self._done = min(done, self._total)
        self._progress(self._done, self._total)

    def end(self) -> None:
        self._progress(self._total, self._total)


def _build_in_processes(
    watch: Connection, url: str, schema: str, groups: Sequence[Sequence[str]], report: _Reporter
) -> None:
    """Fold each group in a process of its own, without a garbage collector: nothing is cyclic."""
    head = head_of(watch)
    checkpoints = [f"{name}{BESIDE}" for group in groups for name in group]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(groups), mp_context=spawn, initializer=gc.disable) as pool:
        futures = [pool.submit(build, url, schema, group, head) for group in groups]
        while wait(futures, PROGRESS_EVERY_S).not_done:
            row = watch.execute(SQL["positions"], (checkpoints,)).fetchone()
            report.reach(int(row[0]) if row else 0)
        for future in futures:
            future.result()


def _swap(url: str, schema: str, name: str) -> Rebuilt:
    """Swap the tables, and try again while a long query reads them: waiting for that query would
    keep every later reader waiting behind us.
    """
    for _ in range(SWAPS_MAX):
        try:
            return _swap_now(url, schema, name)
        except errors.LockNotAvailable:
            log.info("a reader is in the way of the swap", projection=name)
    raise RebuildFailed(f"{name}: its tables were in use all the time")


def _swap_now(url: str, schema: str, name: str) -> Rebuilt:
    """Hold the live runner, catch up with it, compare, and swap the tables."""
    live, shadow = named(name), named(name, BESIDE)
    with _connect(url, schema) as connection, _connect(url, schema) as holder:
        _claim(connection, shadow.checkpoint)
        runner = Runner(connection, [shadow])
        runner.take_over()
        reached = runner.followers[0]
        _fold(runner, _comparable_at(connection, shadow))
        with held(holder, name, wait_s=SWAP_WAIT_S) as position:
            _fold(runner, position)
            models = read_schema(schema)
            same = checkpoint(holder, name).version == live.version
            compared = same and reached.position == position > 0
            found = (
                tuple(differences(holder, live, models, built=models, suffix=BESIDE))
                if compared
                else ()
            )
            _replace(holder, live, shadow)
        return Rebuilt(name, live.version, reached.position, compared, found)


def _replace(holder: Connection, live: Projection, shadow: Projection) -> None:
    for table in live.tables:
        place = sql.Identifier(table.name)
        built = sql.Identifier(f"{table.name}{BESIDE}")
        holder.execute(template(TABLES["drop"]).format(table=place))
        holder.execute(template(TABLES["rename"]).format(built=built, live=place))
    holder.execute(SQL["adopt"], (live.checkpoint, shadow.checkpoint))
    holder.execute(SQL["forget"], (shadow.checkpoint,))
    holder.execute(SQL["forget"], (_indexed(shadow),))


def catch_up(
    url: str,
    schema: str,
    kinds: Sequence[type[Projection]] = PROJECTIONS,
    *,
    passed: Callable[[int], None] = lambda _events: None,
) -> None:
    """Bring those that no other process runs at present up to the head."""
    with _connect(url, schema) as connection:
        runner = Runner(connection, [kind() for kind in kinds])
        runner.take_over()
        while events := runner.step():
            passed(events)


def _comparable_at(connection: Connection, shadow: Projection) -> int:
    """The position at which a shadow and its live tables can be compared, which is that of the
    live ones if they are of the same version; the head if they cannot be compared.
    """
    live = checkpoint(connection, shadow.name)
    if live.version == shadow.version and live.position > 0:
        return live.position
    return head_of(connection)


def _fold(runner: Runner, target: int, added: Callable[[int], None] = lambda _events: None) -> None:
    while passed := runner.step(target):
        added(passed * len(runner.followers))
        for follower in runner.followers:
            if follower.failed_at is not None:
                name, position = follower.projection.name, follower.failed_at
                raise RebuildFailed(f"{name} at position {position}: {follower.failure}")


def _claim(connection: Connection, name: str) -> None:
    """Take a lock until the end of the session."""
    row = connection.execute(SQL["take"], (name,)).fetchone()
    if row is None or not row[0]:
        raise AlreadyRebuilding(name)


@contextmanager
def _connect(url: str, schema: str) -> Iterator[Connection]:
    """A session that gives its locks back itself: a server notices only later that one is over."""
    with connect(
        url, schema, read_models=True, autocommit=True, application="tokenledger-rebuild"
    ) as connection:
        try:
            yield connection
        finally:
            if not connection.closed:
                connection.execute(SQL["release_all"])
