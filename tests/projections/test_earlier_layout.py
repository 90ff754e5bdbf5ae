"""A book whose read models stood in the log's own schema is migrated forward with all it has."""

import itertools
from collections.abc import Iterator

import psycopg
import pytest

from ledger.books import create_book
from ledger.log import reading
from ledger.postgres import embedded, migrations
from ledger.postgres.database import SERVICE_ROLE, Database, connect, read_schema
from ledger.postgres.migrations import available, migrate
from projections.catalogue import PROJECTIONS
from projections.queries import wallet
from projections.rebuild import rebuild
from projections.verify import verify
from tests.conftest import FreshBook
from tests.golden.earlier_release import KEPT, restore
from tests.golden.keep_release import BOOK
from tests.projections.following import follow
from tests.scenarios.steps import purchase
from tests.scenarios.write_path import WritePath

#: The last of a book's migrations under which the service made tables in the log's schema.
OPEN = 13

_numbers = itertools.count(1)


@pytest.fixture
def earlier(server: embedded.Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[FreshBook]:
    """A book with a log and read models as such a release left it."""
    name = f"earlier_{next(_numbers)}"
    with connect(server.url(dbname="postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    with monkeypatch.context() as patched:
        files = {"control": available("control"), "book": available("book")[:OPEN]}
        patched.setattr(migrations, "available", lambda kind: files[kind])
        migrate(server.url(dbname=name))
        where = server.url(dbname=name), server.url(dbname=name, user=SERVICE_ROLE)
        book = create_book(
            where[0], BOOK, currency="USD", time_zone="UTC", partition_rows=1_000_000
        )
    with connect(where[0], book.schema, autocommit=True) as admin:
        restore(admin)
        admin.execute(
            "INSERT INTO event_tags SELECT DISTINCT tag, position FROM events, unnest(tags) AS tag"
        )
        ((position, recorded_at, commits),) = KEPT["head"]
        values = [position, recorded_at, commits]
        admin.execute("UPDATE head SET position = %s, recorded_at = %s, commits = %s", values)
        admin.execute(f'GRANT CREATE ON SCHEMA "{book.schema}" TO {SERVICE_ROLE}'.encode())
    fresh = FreshBook(book, where[1], where[0])
    follow(fresh)
    with fresh.connect(autocommit=True) as service:
        service.execute("CREATE FUNCTION stray() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    yield fresh
    with connect(server.url(dbname="postgres"), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_a_book_is_migrated_forward(earlier: FreshBook) -> None:
    book, position = earlier.book, KEPT["head"][0][0]
    assert _made_by_the_service(earlier) == {book.schema}
    migrate(earlier.admin_url)
    assert _made_by_the_service(earlier) == {read_schema(book.schema)}
    assert verify(earlier.service_url, book, decide_after=position).differences == ()
    with earlier.connect() as service:
        row = service.execute("SELECT partition_rows FROM head").fetchone()
        assert row == (1_000_000,), "what is there cannot be cut anew"
        before = wallet(service, "ann")
        assert before["as_of_position"] == position
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            service.execute(f'CREATE TABLE "{book.schema}".mine ()'.encode())

    stage = WritePath(earlier)
    stage.given(purchase("small", price=999, user="ann"))
    stage.close()
    follow(earlier)
    with earlier.connect() as service:
        assert reading.head(service) == position + 1
        after = wallet(service, "ann")
        assert after["free"]["paid"] > before["free"]["paid"]
    where = Database(earlier.service_url, earlier.admin_url)
    rebuilt = rebuild(where, book)
    assert [one.name for one in rebuilt] == [kind.name for kind in PROJECTIONS]
    assert all(one.compared and not one.differences for one in rebuilt)
    report = verify(earlier.service_url, book, decide_after=position)
    assert report.sound and len(report.projections) == len(PROJECTIONS)


def _made_by_the_service(fresh: FreshBook) -> set[str]:
    """Schemas that hold tables, indexes or functions of the service's role."""
    with fresh.connect() as service:
        rows = service.execute(
            "SELECT relnamespace::regnamespace::text FROM pg_class"
            " WHERE relowner = %(role)s::regrole"
            " UNION SELECT pronamespace::regnamespace::text FROM pg_proc"
            " WHERE proowner = %(role)s::regrole",
            {"role": SERVICE_ROLE},
        ).fetchall()
    return {name.strip('"') for (name,) in rows if "toast" not in name}
