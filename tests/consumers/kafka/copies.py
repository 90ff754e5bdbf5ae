"""A book's copy in another PostgreSQL, and the rows of its read models, to be compared."""

from psycopg import OperationalError, errors

from ledger.books import UnknownBook, get_book
from ledger.postgres import embedded
from ledger.postgres.database import SERVICE_ROLE, connect
from projections.catalogue import all_projections
from tests.conftest import FreshBook
from tests.consumers.kafka.edge import Edge, Process
from tests.support.waiting import until

TABLES = [(table.name, table.key) for model in all_projections() for table in model.tables]


def member(edge: Edge, server: embedded.Server) -> Process:
    """One more member of the group that fills the other database."""
    return edge.process(
        "project",
        TOKENLEDGER_DATABASE_URL=server.url(user=SERVICE_ROLE),
        TOKENLEDGER_ADMIN_DATABASE_URL=server.url(),
        TOKENLEDGER_KAFKA_SESSION_S="2",
    )


def rows(fresh: FreshBook) -> dict[str, list[object]]:
    """Every read model's tables as they are; an account keeps its name, not its position."""
    found: dict[str, list[object]] = {}
    with fresh.connect() as connection:
        for name, key in TABLES:
            query = f"SELECT to_jsonb(t) FROM {name} t ORDER BY {', '.join(key)}"
            found[name] = [row for (row,) in connection.execute(query.encode())]
    return found


def copied(edge: Edge, server: embedded.Server) -> FreshBook:
    """The book in the other database, once it and the journal have reached the head."""
    name = edge.fresh.book.name
    url, admin = server.url(user=SERVICE_ROLE), server.url()
    head = edge.head()

    def reached() -> bool:
        try:
            with connect(url, autocommit=True) as connection:
                schema = get_book(connection, name).schema
            with connect(url, schema, read_models=True, autocommit=True) as connection:
                positions = connection.execute("SELECT min(position) FROM projections").fetchone()
        except (UnknownBook, errors.UndefinedTable, OperationalError):
            return False  # it is not made yet, or the machine is busy
        return positions == (head,)

    until(reached, "the copy")
    with connect(url, autocommit=True) as connection:
        return FreshBook(get_book(connection, name), url, admin)
