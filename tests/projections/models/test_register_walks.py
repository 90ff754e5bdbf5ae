"""Registers are fed by indexes, whatever they are asked for: made from what registers declare.

Every register has many rows, of values that are frequent, values that are rare, and values that
no row has; a page of it reads a bounded part of them, as a plan for these values and as one for
any.
"""

from collections.abc import Iterator
from itertools import product

import pytest
from psycopg import sql

from ledger.books import create_book
from ledger.postgres.database import Connection, Database, read_schema
from projections import queries
from projections.engine.columns import array
from projections.engine.register import ALWAYS, Register
from projections.queries import REGISTERS, Column, ColumnType, RegisterPlace, Wanted
from tests.conftest import FreshBook, new_name
from tests.projections.explaining import Explaining
from tests.projections.following import follow

ROWS = 40_000
LIMIT = 20
#: Rows that two plans may look at: a fortieth of all.
READ_MAX = 2 * ROWS // 40
#: Of a column, one row in two has one value, one in 5,000 another, the others one of their own.
_VALUES = (
    "CASE WHEN n % 2 = 0 THEN 'often' WHEN n % 5000 = 1 THEN 'seldom' ELSE 'n' || n / 8 * 8 END"
)
_EACH = {
    ColumnType.TEXT: _VALUES,
    ColumnType.INTEGER: "n",
    ColumnType.BOOLEAN: "n % 2 = 0",
    ColumnType.TIME: "now()",
}
_LABELS = (
    "CASE WHEN n % 4 = 0 THEN ARRAY['of=all', 'run=often']"
    " WHEN n % 5000 = 1 THEN ARRAY['of=all', 'run=seldom'] END"
)


def filled(register: type[Register]) -> sql.Composed:
    """Statements that fill the register's table with rows that nobody ever lived through."""
    statuses = array(ColumnType.TEXT, register.statuses)
    number = f"1 + (n % 1000 < 1)::int * (n / 1000 % {len(register.statuses)})::int"
    always = {
        "id": "'i' || n",
        "state": "''::bytea",
        "status": f"('{statuses}'::text[])[{number}]",
        "created_at": "now()",
        "updated_at": "now()",
        "first_position": "n",
        "last_position": "n",
    }
    assert set(always) == {name for name, _ in ALWAYS}
    values = always | {column.name: _EACH[column.type] for column in register.columns}
    statement = "INSERT INTO {table} ({names}) SELECT {values} FROM generate_series(1, %d) n"
    return sql.SQL(statement % ROWS).format(  # type: ignore[arg-type]
        table=sql.Identifier(register.name),
        names=sql.SQL(", ").join(map(sql.Identifier, [*values, "labels"])),
        values=sql.SQL(", ".join([*values.values(), _LABELS])),  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def reader(database: Database) -> Iterator[Connection]:
    """A reader of a book whose registers have many rows."""
    book = create_book(database.admin_url, new_name("Registered"), currency="USD", time_zone="UTC")
    fresh = FreshBook(book, database.service_url, database.admin_url)
    follow(fresh)
    schemas = sql.Identifier(read_schema(book.schema)), sql.Identifier(book.schema)
    with fresh.connect(autocommit=True) as service:
        service.execute(sql.SQL("SET search_path = {}, {}").format(*schemas))
        service.execute(b"SET synchronous_commit = off")
        for register in REGISTERS:
            made = register()
            table = sql.Identifier(register.name)
            labels = sql.Identifier(register.labels)
            service.execute(sql.SQL("DROP TABLE {}, {}").format(table, labels))
            service.execute(made.sql["tables"])
            service.execute(filled(register))
            service.execute(
                sql.SQL("INSERT INTO {} SELECT unnest(labels), first_position, id FROM {}").format(
                    labels, table
                )
            )
            service.execute(made.sql["indexes"])
            service.execute(sql.SQL("ANALYZE {}, {}").format(table, labels))
        yield service


def asked(register: type[Register]) -> Iterator[Wanted]:
    """What every filter of a register may ask for, alone, with a status and with another filter."""
    yield Wanted()
    for status in register.statuses:
        yield Wanted(statuses=(status,))
    filters = list(register.filters())
    for name in filters:
        for value in ("often", "seldom", "nobody"):
            yield Wanted(equal={name: value})
            yield Wanted(equal={name: value}, statuses=register.statuses[-1:])
    if len(filters) > 1:
        yield Wanted(equal=dict.fromkeys(filters, "often"))
        yield Wanted(equal=dict.fromkeys(filters, "seldom"), statuses=register.statuses[:1])
    if register.amount is not None:
        for amount in (1, ROWS - 5, ROWS * 2):
            yield Wanted(min_amount=amount)
    for value in ("often", "seldom", "nobody"):
        yield Wanted(labels={"run": value})
    yield Wanted(labels={"run": "often", "of": "all"}, statuses=register.statuses[:1])


every_register = pytest.mark.parametrize("register", REGISTERS, ids=lambda each: each.name)


@every_register
@pytest.mark.parametrize("newest_first", [True, False])
def test_a_page_of_a_register(
    reader: Connection, register: type[Register], *, newest_first: bool
) -> None:
    for wanted, after in product(
        asked(register), (None, RegisterPlace(ROWS // 2, f"i{ROWS // 2}"))
    ):
        explaining = Explaining(reader)
        queries.register_page(
            explaining,  # type: ignore[arg-type]
            register,
            wanted,
            "USD",
            last=ROWS - 1,
            after=after,
            newest_first=newest_first,
            limit=LIMIT,
        )
        assert not explaining.scanned & {register.name, register.labels}, wanted
        assert explaining.rows < READ_MAX, wanted


@every_register
def test_one_thing_of_a_register(reader: Connection, register: type[Register]) -> None:
    explaining = Explaining(reader)
    text = queries.register_item(explaining, register, "none", "USD")  # type: ignore[arg-type]
    assert "id" not in text and register.name not in explaining.scanned


def test_every_filter_has_its_index() -> None:
    columns: list[Column] = [column for register in REGISTERS for column in register.columns]
    assert all(column.type is ColumnType.TEXT for column in columns if column.filter)
