"""Read models in another PostgreSQL, out of the topic alone, equal the local ones row for row."""

import threading
from collections.abc import Iterator

import pytest
from psycopg import errors

from consumers.kafka.topics import EVENTS
from ledger.books import UnknownBook, get_book
from ledger.postgres import embedded
from ledger.postgres.database import SERVICE_ROLE, connect
from projections.catalogue import all_projections
from tests.conftest import FreshBook
from tests.consumers.kafka.edge import Edge, Process
from tests.projections.following import follow
from tests.projections.full_history import live_through
from tests.scenarios.steps import grant, tip
from tests.support.waiting import until

TABLES = [(table.name, table.key) for model in all_projections() for table in model.tables]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Server]:
    """Another PostgreSQL."""
    with embedded.server(tmp_path_factory.mktemp("elsewhere")) as running:
        yield running


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
            with connect(url, schema, autocommit=True) as connection:
                positions = connection.execute("SELECT min(position) FROM projections").fetchone()
        except (UnknownBook, errors.UndefinedTable):
            return False  # it is not made yet
        return positions == (head,)

    until(reached, "the copy")
    with connect(url, autocommit=True) as connection:
        return FreshBook(get_book(connection, name), url, admin)


@pytest.mark.parametrize("document", [{}])
def test_everything_that_can_happen_is_there_row_for_row(
    edge: Edge, elsewhere: embedded.Server
) -> None:
    live_through(edge.stage)
    edge.process("relay").start()
    members = [member(edge, elsewhere).start()]
    edge.await_published()
    copy = copied(edge, elsewhere)
    members.append(member(edge, elsewhere).start())
    follow(edge.fresh)
    assert rows(copy) == rows(edge.fresh)
    with copy.connect(autocommit=True) as connection:
        there = connection.execute("SELECT position, data FROM events ORDER BY position").fetchall()
    assert there == edge.stage.rows()

    edge.send_again(EVENTS)
    edge.stage.given(grant(10, user="late"))
    edge.await_published()
    copy = copied(edge, elsewhere)
    follow(edge.fresh)
    assert rows(copy) == rows(edge.fresh)


@pytest.mark.parametrize("point", ["before_commit", "after_commit"])
def test_two_members_share_one_is_killed_and_another_comes(
    edge: Edge, elsewhere: embedded.Server, point: str
) -> None:
    edge.stage.given(*[grant(1_000, user=f"fan{n}") for n in range(20)])
    edge.process("relay").start()
    first = member(edge, elsewhere).start(f"{point}:SIGKILL")
    second = member(edge, elsewhere).start()
    third = None
    for n in range(1_000):
        requests = [edge.stage.request(tip(1, user=f"fan{m}")) for m in range(20)]
        edge.stage.writer.write(requests)
        if first.ended() and third is None:
            third = member(edge, elsewhere).start()
        if third is not None and n > 40:
            break
        threading.Event().wait(0.05)
    assert third is not None, "the failpoint was never passed"
    edge.await_published()
    copy = copied(edge, elsewhere)
    follow(edge.fresh)
    assert rows(copy) == rows(edge.fresh)
    second.stop()
    third.stop()
