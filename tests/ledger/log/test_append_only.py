"""The log can be appended to and never changed: not by the service, not by its owner."""

from collections.abc import Iterator

import psycopg
import pytest

from ledger.postgres.database import Connection
from tests.conftest import FreshBook

INSERT_EVENT = """
    INSERT INTO events (position, event_id, type, tags, occurred_at, recorded_at, data, leaf_hash)
    VALUES (%s, gen_random_uuid(), 'test.v1', '{wallet:u1}', now(), now(), '{}', sha256('{}'))
"""
CHANGES = (
    "UPDATE events SET type = 'x'",
    "UPDATE events_000000 SET type = 'x'",
    "DELETE FROM events",
    "DELETE FROM events_000000",
    "TRUNCATE events",
    "TRUNCATE events_000000",
    "UPDATE event_tags SET tag = 'x'",
    "DELETE FROM event_tags",
    "TRUNCATE event_tags",
    "UPDATE receipts SET status = 200",
    "DELETE FROM receipts",
    "TRUNCATE receipts",
)
WAYS_ROUND = (
    "SET session_replication_role = replica",
    "DROP TABLE events",
    "DROP TABLE events_000000",
    "DROP TRIGGER append_only ON events",
    "DROP TRIGGER append_only ON events_000000",
    "ALTER TABLE events DISABLE TRIGGER append_only",
    "ALTER TABLE events_000000 DISABLE TRIGGER ALL",
    "ALTER TABLE events DETACH PARTITION events_000000",
    "ALTER TABLE events ADD COLUMN extra text",
    "ALTER TABLE events_000000 OWNER TO tokenledger_app",
    "CREATE OR REPLACE FUNCTION tokenledger.refuse_change() RETURNS trigger"
    " LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CALL tokenledger.protect('events')",
    "CREATE RULE quiet AS ON INSERT TO events DO INSTEAD NOTHING",
    "CREATE INDEX ON events (type)",
    "SET ROLE tokenledger_owner",
    "SET ROLE postgres",
    "UPDATE head SET partition_rows = 1",
    "DELETE FROM head",
    "INSERT INTO partitions VALUES (1, 2, 'x')",
    "UPDATE tokenledger.books SET currency = 'EUR'",
    "INSERT INTO tokenledger.api_keys VALUES (sha256(''), 'k', 'b', 'admin', 'a', 'c')",
    "CREATE TABLE tokenledger.mine ()",
)


@pytest.fixture
def service(fresh_book: FreshBook) -> Iterator[Connection]:
    with fresh_book.connect() as connection:
        connection.execute(INSERT_EVENT, [1])
        connection.execute("INSERT INTO event_tags VALUES ('wallet:u1', 1)")
        connection.execute(
            "INSERT INTO receipts SELECT decode(md5('k'), 'hex'), '0123456789abcdef', 1, 1, 201"
        )
        connection.commit()
        yield connection
        connection.rollback()


@pytest.mark.parametrize("statement", CHANGES + WAYS_ROUND)
def test_the_service_may_not(service: Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        service.execute(statement.encode())


def test_the_service_may_append_and_read(service: Connection) -> None:
    assert service.execute("SELECT position, entry FROM events_json").fetchall() == [(1, {})]
    assert service.execute("SELECT tag FROM event_tags").fetchall() == [("wallet:u1",)]
    service.execute("UPDATE head SET position = 1, commits = commits + 1")


def test_the_service_may_keep_its_caches_and_read_models(service: Connection) -> None:
    service.execute("INSERT INTO snapshots VALUES ('wallet:u1', 1, 1, '')")
    service.execute("UPDATE snapshots SET position = 2")
    service.execute("DELETE FROM snapshots")
    service.execute("CREATE TABLE wallets (tag text PRIMARY KEY)")
    service.execute("DROP TABLE wallets")


@pytest.mark.parametrize("role", ["tokenledger_owner", "postgres"])
@pytest.mark.parametrize("replication", ["origin", "replica"])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.usefixtures("service")
def test_triggers_stop_those_whom_privileges_do_not(
    fresh_book: FreshBook, role: str, replication: str, change: str
) -> None:
    with fresh_book.connect_admin() as admin:
        admin.execute("SELECT set_config('session_replication_role', %s, true)", [replication])
        admin.execute("SELECT set_config('role', %s, true)", [role])
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            admin.execute(change.encode())
        admin.rollback()


def test_every_partition_has_its_trigger_and_new_ones_too(fresh_book: FreshBook) -> None:
    with fresh_book.connect(autocommit=True) as service:
        assert _partitions(service) == [
            ("events_000000", "A"),
            ("events_000001", "A"),
            ("events_000002", "A"),
        ]
        service.execute("UPDATE head SET position = 2500")
        assert service.execute("SELECT add_partitions()").fetchone() == (2,)
        assert service.execute("SELECT add_partitions()").fetchone() == (0,)
        assert [name for name, _ in _partitions(service)] == [f"events_00000{n}" for n in range(5)]
        assert {enabled for _, enabled in _partitions(service)} == {"A"}
        service.execute(INSERT_EVENT, [5_000])
        with pytest.raises(psycopg.errors.CheckViolation):
            service.execute(INSERT_EVENT, [5_001])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            service.execute("TRUNCATE events_000004")


def test_partitions_are_made_while_a_reader_and_a_writer_are_busy(fresh_book: FreshBook) -> None:
    with fresh_book.connect() as reader, fresh_book.connect() as writer:
        reader.execute("SELECT count(*) FROM events")
        writer.execute(INSERT_EVENT, [1])
        with fresh_book.connect(autocommit=True) as third:
            third.execute("SET lock_timeout = '2s'")
            third.execute("UPDATE head SET position = 2500")
            assert third.execute("SELECT add_partitions()").fetchone() == (2,)


def test_the_service_cannot_shadow_what_the_owners_function_calls(fresh_book: FreshBook) -> None:
    with fresh_book.connect(autocommit=True) as service:
        service.execute(
            "CREATE FUNCTION format(text, text, bigint, bigint) RETURNS text LANGUAGE sql"
            " AS $$ SELECT 'ALTER TABLE events OWNER TO tokenledger_app' $$"
        )
        service.execute("CREATE TEMP TABLE books AS SELECT 'pg_catalog'::text AS schema")
        service.execute("UPDATE head SET position = 1000")
        service.execute("SELECT add_partitions()")
        query = "SELECT DISTINCT tableowner FROM pg_tables WHERE tablename ~ '^events'"
        assert service.execute(query).fetchall() == [("tokenledger_owner",)]
        with pytest.raises(psycopg.errors.InvalidSchemaName):
            service.execute("SELECT tokenledger.add_partitions('public')")


def test_an_entry_over_the_limit_is_refused(fresh_book: FreshBook) -> None:
    with fresh_book.connect() as service, pytest.raises(psycopg.errors.CheckViolation):
        service.execute(
            INSERT_EVENT.replace("'{}', sha", "repeat('x', 65536)::bytea, sha").encode(), [1]
        )


def _partitions(connection: Connection) -> list[tuple[str, str]]:
    return connection.execute(
        "SELECT c.relname, t.tgenabled::text FROM pg_inherits i"
        " JOIN pg_class c ON c.oid = i.inhrelid"
        " LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgname = 'append_only'"
        " WHERE i.inhparent = 'events'::regclass ORDER BY c.relname"
    ).fetchall()
