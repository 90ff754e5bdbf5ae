"""Registers: what a first page costs among a million rows, over the same among a thousand.

Both pages have a hundred rows; the larger register has a thousand times as many of each value.
"""

import statistics
import time

from psycopg import sql

from bench.stage import Stage
from ledger.postgres.database import Connection, read_schema
from projections.engine.columns import INTEGER, TEXT
from projections.engine.install import install
from projections.engine.register import ALWAYS
from projections.engine.register_reading import Wanted, register_page
from projections.models.sales import Sales

SMALL, LARGE = 1_000, 1_000_000
PAGE, ROUNDS = 100, 60
#: What is asked for: each fills a page of the smaller one, too.
ASKED = (
    Wanted(),
    Wanted(statuses=("PAID",)),
    Wanted(equal={"creator": "v7"}),
    Wanted(equal={"creator": "v7"}, statuses=("PAID",)),
    Wanted(equal={"product": "v7", "creator": "v7"}),
    Wanted(min_amount=SMALL // 2),
    Wanted(labels={"run": "v7"}),
)


def measure(stage: Stage) -> dict[str, float]:
    """The worst of the median ratios of all that is asked for."""
    ratios = []
    books = [stage.book(f"pages_{rows}", policy=None) for rows in (SMALL, LARGE)]
    with stage.connect(books[0]) as small, stage.connect(books[1]) as large:
        for connection, book, rows in ((small, books[0], SMALL), (large, books[1], LARGE)):
            install(connection, [Sales()])
            schemas = sql.Identifier(read_schema(book.schema)), sql.Identifier(book.schema)
            connection.execute(sql.SQL("SET search_path = {}, {}").format(*schemas))
            _fill(connection, rows)
        for wanted in ASKED:
            pairs = [(_seconds(large, wanted), _seconds(small, wanted)) for _ in range(ROUNDS)]
            far, near = zip(*pairs[ROUNDS // 4 :], strict=True)
            ratios.append(statistics.median(far) / statistics.median(near))
    return {"list_page_growth": max(ratios)}


def _seconds(connection: Connection, wanted: Wanted) -> float:
    began = time.perf_counter()
    found, _ = register_page(connection, Sales, wanted, "USD", limit=PAGE)
    elapsed = time.perf_counter() - began
    assert len(found) == PAGE, (wanted, len(found))
    return elapsed


def _fill(connection: Connection, rows: int) -> None:
    """Sales of ten creators, products and labels, one in fifty not paid any more."""
    register = Sales()
    values = {name: "n::text" if kind is TEXT else "n" for name, kind in ALWAYS}
    values |= dict.fromkeys(("created_at", "updated_at"), "now()") | {"state": "''::bytea"}
    values["status"] = "CASE WHEN n % 50 = 0 THEN 'REFUNDED' ELSE 'PAID' END"
    for column in Sales.columns:
        made = {TEXT: "'v' || n % 10", INTEGER: "n"}.get(column.type, "now()")
        values[column.name] = made
    values |= {"user": "'u' || n", "item": "'i' || n", "labels": "ARRAY['run=v' || n % 10]"}
    names = sql.SQL(", ").join(map(sql.Identifier, values))
    made_of = sql.SQL(", ".join(values.values()))
    connection.execute(b"DROP TABLE sales, sales_labels")
    connection.execute(register.sql["tables"])
    connection.execute(
        sql.SQL("INSERT INTO sales ({}) SELECT {} FROM generate_series(1, {}::bigint) n").format(
            names, made_of, sql.Literal(rows)
        )
    )
    connection.execute(
        b"INSERT INTO sales_labels SELECT unnest(labels), first_position, id FROM sales"
    )
    connection.execute(register.sql["indexes"])
    connection.execute(b"ANALYZE sales, sales_labels")
