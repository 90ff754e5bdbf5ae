"""The log can be appended to and never changed: not by the service, not by its owner.

What the service appends must follow the head, entry by entry; nothing else moves the head.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from ledger.log.entry import leaf_hash
from ledger.postgres.database import Connection, read_schema
from tests.conftest import FreshBook

INSERT_EVENT = """
    INSERT INTO events (position, event_id, type, tags, occurred_at, recorded_at, data, leaf_hash)
    VALUES (%s, gen_random_uuid(), 'test.v1', '{wallet:u1,wallet:u1}', now(), %s, %s, %s)
"""
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
ENTRY = b"{}"

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
    "DROP TRIGGER append ON events",
    "DROP TRIGGER append_only ON events_000000",
    "DROP FUNCTION append() CASCADE",
    "ALTER TABLE events DISABLE TRIGGER append_only",
    "ALTER TABLE events DISABLE TRIGGER append",
    "ALTER TABLE events_000000 DISABLE TRIGGER ALL",
    "ALTER TABLE events DETACH PARTITION events_000000",
    "ALTER TABLE events ADD COLUMN extra text",
    "ALTER TABLE events_000000 OWNER TO tokenledger_app",
    "ALTER FUNCTION move_head(bigint) SET search_path = pg_temp",
    "INSERT INTO events_000000 SELECT * FROM events",
    "CREATE OR REPLACE FUNCTION tokenledger.refuse_change() RETURNS trigger"
    " LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE OR REPLACE FUNCTION append() RETURNS trigger"
    " LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "CALL tokenledger.protect('events')",
    "CREATE RULE quiet AS ON INSERT TO events DO INSTEAD NOTHING",
    "CREATE TRIGGER mine AFTER INSERT ON events EXECUTE FUNCTION append()",
    "CREATE INDEX ON events (type)",
    "SET ROLE tokenledger_owner",
    "SET ROLE postgres",
    "INSERT INTO event_tags VALUES ('wallet:u1', 2)",
    "SELECT move_head(2)",
    "SELECT follow_copy(1)",
    "UPDATE head SET position = 2",
    "UPDATE head SET recorded_at = now()",
    "UPDATE head SET commits = 7",
    "UPDATE head SET parked = 7",
    "UPDATE head SET volume = 0",
    "UPDATE head SET copied = true",
    "UPDATE head SET partition_rows = 1",
    "UPDATE head SET one = true, position = 2",
    "INSERT INTO head (partition_rows) VALUES (1)",
    "DELETE FROM head",
    "INSERT INTO partitions VALUES (1, 2, 'x')",
    "UPDATE tokenledger.books SET currency = 'EUR'",
    "INSERT INTO tokenledger.api_keys VALUES (sha256(''), 'k', 'b', 'admin', 'a', 'c')",
    "CREATE TABLE tokenledger.mine ()",
    'CREATE TABLE "{log}".mine ()',
    'CREATE VIEW "{log}".mine AS SELECT 1',
    "CREATE FUNCTION \"{log}\".mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    'ALTER TABLE mine SET SCHEMA "{log}"',
    "CREATE SCHEMA mine",
)


def append(connection: Connection, position: int, at: datetime, **other: bytes) -> None:
    """Insert an entry; `data` and `leaf_hash` are a sound one's unless others are given."""
    data = other.get("data", ENTRY)
    connection.execute(
        INSERT_EVENT.encode(), [position, at, data, other.get("leaf_hash", leaf_hash(data))]
    )


@pytest.fixture
def service(fresh_book: FreshBook) -> Iterator[Connection]:
    with fresh_book.connect() as connection:
        append(connection, 1, NOON)
        connection.execute(
            "INSERT INTO receipts SELECT decode(md5('k'), 'hex'), '0123456789abcdef', 1, 1, 201"
        )
        connection.execute(f'CREATE TABLE "{read_schema(fresh_book.book.schema)}".mine ()'.encode())
        connection.commit()
        yield connection
        connection.rollback()


@pytest.mark.parametrize("statement", CHANGES + WAYS_ROUND)
def test_the_service_may_not(service: Connection, fresh_book: FreshBook, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        service.execute(statement.replace("{log}", fresh_book.book.schema).encode())


def test_the_service_may_append_and_read(service: Connection) -> None:
    assert service.execute("SELECT position, entry FROM events_json").fetchall() == [(1, {})]
    assert service.execute("SELECT tag, position FROM event_tags").fetchall() == [("wallet:u1", 1)]
    assert _head(service) == (1, NOON, 0)
    append(service, 2, NOON + TICK)
    assert service.execute("SELECT count_commit(0)").fetchone() == (1,)
    assert _head(service) == (2, NOON + TICK, 1)


def test_many_entries_of_one_statement_are_one_append(service: Connection) -> None:
    rows = [(position, NOON + position * TICK) for position in range(2, 900)]
    _copy(service, rows)
    assert _head(service) == (899, NOON + 899 * TICK, 0)
    tags = service.execute("SELECT count(*), max(position) FROM event_tags").fetchone()
    assert tags == (899, 899)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([(3, 2)], "does not follow position 1"),
        ([(2, 2), (4, 3)], "does not follow position 1"),
        ([(999, 2)], "does not follow position 1"),
        ([(2, 0)], "position 2 .* was not recorded after"),
        ([(2, -1)], "position 2 .* was not recorded after"),
        ([(2, 2), (3, 2)], "position 3 .* was not recorded after"),
        ([(2, 3), (3, 2)], "position 3 .* was not recorded after"),
    ],
)
def test_what_does_not_follow_the_head_is_refused(
    service: Connection, rows: list[tuple[int, int]], told: str
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match=told):
        _copy(service, [(position, NOON + ticks * TICK) for position, ticks in rows])
    service.rollback()
    assert _head(service) == (1, NOON, 0)


@pytest.mark.parametrize("wrong", [leaf_hash(b"{ }"), bytes(32)])
def test_a_leaf_hash_of_other_bytes_is_refused(service: Connection, wrong: bytes) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="leaf hash of position 2"):
        append(service, 2, NOON + TICK, leaf_hash=wrong)


def test_the_check_cannot_be_led_astray(service: Connection, fresh_book: FreshBook) -> None:
    """By tables, functions or settings of a session's own."""
    service.execute("CREATE TEMP TABLE mine AS SELECT * FROM head")
    service.execute("UPDATE mine SET position = 8, copied = true")
    service.execute("ALTER TABLE pg_temp.mine RENAME TO head")
    service.execute("CREATE TEMP TABLE events (LIKE events)")
    service.execute(
        "CREATE FUNCTION pg_temp.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT $1'"
    )
    for setting in ("search_path = pg_temp", "constraint_exclusion = on", "enable_indexscan = off"):
        service.execute(f"SET {setting}".encode())
    insert = INSERT_EVENT.replace("INTO events", f'INTO "{fresh_book.book.schema}".events')
    with pytest.raises(psycopg.errors.CheckViolation, match="does not follow position 1"):
        service.execute(insert.encode(), [9, NOON + TICK, ENTRY, leaf_hash(ENTRY)])


def test_a_copy_takes_entries_in_any_order_and_its_head_follows_without_holes(
    service: Connection, fresh_book: FreshBook
) -> None:
    with fresh_book.connect_admin(autocommit=True) as admin:
        admin.execute("UPDATE head SET copied = true")
    for position in (4, 2, 6):
        append(service, position, NOON + position * TICK)
    assert _follow_copy(service) == 2
    append(service, 3, NOON + 3 * TICK)
    append(service, 5, NOON + 5 * TICK, leaf_hash=bytes(32))
    assert _follow_copy(service, 2) == 4
    assert _head(service) == (4, NOON + 4 * TICK, 0)
    with pytest.raises(psycopg.errors.CheckViolation, match="leaf hash of position 5"):
        _follow_copy(service)


def test_the_service_may_lock_the_head_and_count_commits(service: Connection) -> None:
    assert service.execute("SELECT count_commit(5), count_commit(3)").fetchone() == (1, 2)
    assert service.execute("SELECT volume FROM head").fetchone() == (8,)
    with pytest.raises(psycopg.errors.CheckViolation, match="only rises"), service.transaction():
        service.execute("SELECT count_commit(-1)")
    assert service.execute("SELECT position FROM head FOR UPDATE").fetchone() == (1,)
    service.execute("UPDATE head SET one = true")
    with pytest.raises(psycopg.errors.CheckViolation):
        service.execute("UPDATE head SET one = false")


def test_the_service_may_keep_its_caches_and_read_models(service: Connection) -> None:
    service.execute("INSERT INTO snapshots VALUES ('wallet:u1', 1, 1, '')")
    service.execute("UPDATE snapshots SET position = 2")
    service.execute("DELETE FROM snapshots")
    service.execute("ALTER TABLE mine ADD COLUMN tag text PRIMARY KEY")
    service.execute("DROP TABLE mine")


def test_nothing_among_the_read_models_comes_before_the_log(
    service: Connection, fresh_book: FreshBook
) -> None:
    models = read_schema(fresh_book.book.schema)
    service.execute(f'CREATE TABLE "{models}".events AS SELECT 7 AS position'.encode())
    assert service.execute("SELECT position FROM events").fetchall() == [(1,)]


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
        admin.execute("SELECT set_config('session_replication_role', %s, true)", [replication])
        admin.execute("SELECT set_config('role', %s, true)", [role])
        with pytest.raises(psycopg.errors.CheckViolation, match="does not follow"):
            append(admin, 3, NOON + TICK)
        admin.rollback()


def test_every_partition_has_its_trigger_and_new_ones_too(fresh_book: FreshBook) -> None:
    with fresh_book.connect(autocommit=True) as service:
        assert _partitions(service) == [
            ("events_000000", "A"),
            ("events_000001", "A"),
            ("events_000002", "A"),
        ]
        _reach(fresh_book, 2_500)
        assert service.execute("SELECT add_partitions()").fetchone() == (2,)
        assert service.execute("SELECT add_partitions()").fetchone() == (0,)
        assert [name for name, _ in _partitions(service)] == [f"events_00000{n}" for n in range(5)]
        assert {enabled for _, enabled in _partitions(service)} == {"A"}
        _reach(fresh_book, 4_999)
        append(service, 5_000, NOON)
        with pytest.raises(psycopg.errors.CheckViolation, match="no partition"):
            append(service, 5_001, NOON + TICK)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            service.execute("TRUNCATE events_000004")


def test_partitions_are_made_while_a_reader_and_a_writer_are_busy(fresh_book: FreshBook) -> None:
    _reach(fresh_book, 2_500)
    with fresh_book.connect() as reader, fresh_book.connect() as writer:
        reader.execute("SELECT count(*) FROM events")
        append(writer, 2_501, NOON)
        with fresh_book.connect(autocommit=True) as third:
            third.execute("SET lock_timeout = '2s'")
            assert third.execute("SELECT add_partitions()").fetchone() == (2,)


def test_the_service_cannot_shadow_what_the_owners_function_calls(fresh_book: FreshBook) -> None:
    models = read_schema(fresh_book.book.schema)
    _reach(fresh_book, 1_000)
    with fresh_book.connect(autocommit=True) as service:
        service.execute(
            f'CREATE FUNCTION "{models}".format(text, text, bigint, bigint) RETURNS text'
            " LANGUAGE sql AS $$ SELECT 'ALTER TABLE events OWNER TO tokenledger_app' $$".encode()
        )
        service.execute("CREATE TEMP TABLE books AS SELECT 'pg_catalog'::text AS schema")
        service.execute("SELECT add_partitions()")
        query = "SELECT DISTINCT tableowner FROM pg_tables WHERE tablename ~ '^events'"
        assert service.execute(query).fetchall() == [("tokenledger_owner",)]
        with pytest.raises(psycopg.errors.InvalidSchemaName):
            service.execute("SELECT tokenledger.add_partitions('public')")


def test_an_entry_over_the_limit_is_refused(fresh_book: FreshBook) -> None:
    with (
        fresh_book.connect() as service,
        pytest.raises(psycopg.errors.CheckViolation, match="events_data_check"),
    ):
        append(service, 1, NOON, data=b"x" * 65_536)


def _follow_copy(connection: Connection, entries_max: int = 100) -> int:
    row = connection.execute("SELECT follow_copy(%s)", [entries_max]).fetchone()
    assert row is not None
    return int(row[0])


def _reach(fresh_book: FreshBook, position: int) -> None:
    """The head as after so many events."""
    with fresh_book.connect_admin(autocommit=True) as admin:
        admin.execute("UPDATE head SET position = %s", [position])


def _head(connection: Connection) -> tuple[int, datetime, int]:
    row = connection.execute("SELECT position, recorded_at, commits FROM head").fetchone()
    assert row is not None
    return row[0], row[1], row[2]


def _copy(connection: Connection, rows: list[tuple[int, datetime]]) -> None:
    """Append sound entries at these positions, recorded then, by one statement."""
    statement = (
        "COPY events (position, event_id, type, tags, occurred_at, recorded_at, data, leaf_hash)"
        " FROM STDIN"
    )
    with connection.cursor().copy(statement.encode()) as copy:
        for position, at in rows:
            identity = "00000000-0000-7000-8000-000000000000"
            copy.write_row(
                (position, identity, "test.v1", "{wallet:u1}", NOON, at, ENTRY, leaf_hash(ENTRY))
            )


def _partitions(connection: Connection) -> list[tuple[str, str]]:
    return connection.execute(
        "SELECT c.relname, t.tgenabled::text FROM pg_inherits i"
        " JOIN pg_class c ON c.oid = i.inhrelid"
        " LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgname = 'append_only'"
        " WHERE i.inhparent = 'events'::regclass ORDER BY c.relname"
    ).fetchall()
