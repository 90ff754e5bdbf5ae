"""Verifies a book from end to end: its tables and rights, its log, snapshots, every read model.

Each read model is made once more from the log, in temporary tables of one session, and compared
with the live one while the live runner waits at its checkpoint. The recomputation runs the same
code as the live one, with a search path on which the temporary schema comes first.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, islice

import msgspec
from psycopg import errors

from ledger import logs
from ledger.books import Book, create_book
from ledger.log import reading
from ledger.postgres import sql_files
from ledger.postgres.database import Connection, connect, external, read_schema
from ledger.postgres.migrations import migrate
from ledger.verification.difference import Difference, Progress, nobody_watches
from ledger.verification.log import verify_log
from ledger.verification.snapshots import verify_snapshots
from ledger.verification.structure import (
    NoScratchDatabase,
    Structure,
    role_differences,
    schemas,
    scratch_database,
    structure,
)
from ledger.verification.structure import differences as structure_differences
from projections.catalogue import PROJECTIONS, all_projections, named
from projections.engine.checkpoints import checkpoint
from projections.engine.compare import RowDifference, differences
from projections.engine.hold import held
from projections.engine.install import create, install
from projections.engine.projection import BESIDE, Projection
from projections.engine.runner import Runner

SQL = sql_files.load("verify", "projections")

DIFFERENCES_MAX = 100

log = logs.get_logger(__name__)


class Verification(msgspec.Struct, frozen=True):
    """What was checked and what was found; `differences` are at most the first hundred.

    `structure`: whether tables, rights, triggers and functions could be compared with fresh ones.
    """

    head: int
    projections: tuple[str, ...]
    differences: tuple[Difference, ...]
    structure: bool = False

    @property
    def sound(self) -> bool:
        """Whether everything is what the log makes of it."""
        return not self.differences

    @property
    def first(self) -> Difference | None:
        """The first difference found."""
        return self.differences[0] if self.differences else None


def verify(
    url: str,
    book: Book,
    *,
    admin_url: str | None = None,
    decide_after: int = 0,
    progress: Progress = nobody_watches,
) -> Verification:
    """Check everything of `book`; `url` of any role that may read it. Blocks, reports progress.

    With `admin_url`, of a role that may make a database, tables and rights are compared with those
    of a book made for it. Decisions are made again after the position `decide_after`. `progress`
    gets (done, total) in thousandths of the whole.
    """
    fresh = None if admin_url is None else fresh_structure(admin_url, book)
    with _connect(url, book) as connection:
        head = reading.head(connection)
        installed = tuple(_installed(connection))
        parts = chain(
            () if fresh is None else verify_structure(connection, fresh, installed),
            _everything(
                url, connection, book, installed, decide_after=decide_after, progress=progress
            ),
        )
        first = tuple(islice(parts, DIFFERENCES_MAX))
    return Verification(head, installed, first, fresh is not None)


def _everything(
    url: str,
    connection: Connection,
    book: Book,
    installed: tuple[str, ...],
    *,
    decide_after: int,
    progress: Progress,
) -> Iterator[Difference]:
    def part(number: int) -> Progress:
        return lambda done, total: progress(
            (1000 * number + 1000 * done // max(total, 1)) // 3, 1000
        )

    yield from verify_log(connection, book, decide_after=decide_after, progress=part(0))
    yield from verify_snapshots(connection, progress=part(1))
    yield from verify_projections(url, book, installed, progress=part(2))
    progress(1000, 1000)


def fresh_structure(admin_url: str, book: Book) -> Structure | None:
    """What a book of this name consists of when it has just been made, in a database of its own.

    None where the role may not make a database.
    """
    try:
        with scratch_database(admin_url) as url:
            migrate(url)
            create_book(
                url,
                book.name,
                currency=book.currency,
                time_zone=book.time_zone,
                simulated=book.simulated,
            )
            service_url = external(url, None).service_url
            with connect(service_url, book.schema, read_models=True, autocommit=True) as service:
                install(service, all_projections())
            with connect(url, autocommit=True) as admin:
                return structure(admin, schemas(admin))
    except NoScratchDatabase as error:
        log.warning("tables and rights are not compared", error=str(error))
        return None


def verify_structure(
    connection: Connection, fresh: Structure, installed: Sequence[str]
) -> Iterator[Difference]:
    """Where tables, rights, triggers and functions are not as in a book that was just made."""
    absent = {
        table.name for kind in PROJECTIONS if kind.name not in installed for table in kind.tables
    }
    live = structure(connection, sorted({schema for schema, _ in fresh}))
    yield from structure_differences(live, fresh, passing=BESIDE, absent=absent)
    yield from role_differences(connection)


def verify_projections(
    url: str,
    book: Book,
    names: Sequence[str],
    *,
    progress: Progress = nobody_watches,
) -> Iterator[Difference]:
    """Where the live read models differ from what the log makes of them. Lazy."""
    with _connect(url, book) as session, _connect(url, book) as holder:
        session.execute(SQL["temporary"], (book.schema,))
        session.execute(SQL["checkpoints"])
        positions: dict[str, int] = {}
        for name in names:
            (version, position), wanted = checkpoint(holder, name), named(name).version
            if position > reading.head(holder):
                yield Difference(
                    None, f"{name} position", f"at most {reading.head(holder)}", str(position)
                )
            elif version == wanted:
                positions[name] = position
            else:
                yield Difference(None, f"{name} version", str(wanted), str(version))
        if not positions:
            return
        projections = [named(name) for name in positions]
        for projection in projections:
            create(session, projection)
        yield from _fold(session, projections, min(positions.values()), progress)
        for projection in projections:
            with held(holder, projection.name) as position:
                yield from _fold(session, [projection], position, progress)
                live = read_schema(book.schema)
                for row in differences(session, projection, live, built="pg_temp"):
                    yield _named(row)


def _fold(
    session: Connection, projections: Sequence[Projection], target: int, progress: Progress
) -> Iterator[Difference]:
    """Fold up to `target`; an event that one cannot pass is a difference as well."""
    runner = Runner(session, projections)
    runner.follow_alone()
    while runner.step(target):
        progress(min(follower.position for follower in runner.followers), target)
    for follower in runner.followers:
        if follower.failed_at is not None:
            what = f"{follower.projection.name} at this event"
            yield Difference(follower.failed_at, what, "no failure", str(follower.failure))


def _connect(url: str, book: Book) -> Connection:
    return connect(
        url, book.schema, read_models=True, autocommit=True, application="tokenledger-verify"
    )


def _named(row: RowDifference) -> Difference:
    """The row by its position where it has one, whole as it should be and as it is."""
    expected, found = row.expected, row.found
    some = expected or found or {}
    return Difference(some.get("position"), f"row of {row.table}", str(expected), str(found))


def _installed(connection: Connection) -> list[str]:
    try:
        rows = connection.execute(SQL["installed"]).fetchall()
    except errors.UndefinedTable:
        return []
    there = {name for (name,) in rows}
    return [kind.name for kind in PROJECTIONS if kind.name in there]
