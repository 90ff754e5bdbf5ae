"""Where the database is and how a connection to it is made.

A URL may name several servers of which one is the primary (`host=a,b`): whoever connects looks for
the one that can be written to, and so follows a failover.

Two connection strings come out of the settings. The *service* one may append to the log and
never change it; the *admin* one migrates, makes books and keys. With the embedded server they
are two roles. With an external server give both URLs; one superuser's URL alone also works, the
service then takes on the role `tokenledger_app` as it connects, which guards against mistakes
but not against an intruder, who could drop that role again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from ledger.postgres import embedded
from ledger.postgres.deadlines import within
from ledger.settings import Settings

SERVICE_ROLE = "tokenledger_app"
#: How long a connection of a pool may take to say that it is alive.
CHECK_S = 0.5
#: Whoever is idle within a transaction for that long is frozen: PostgreSQL ends its session, and
#: what it holds is free again.
IDLE_IN_TRANSACTION_S = 60.0

#: A dead peer is noticed within seconds, whether we wait for it or send to it.
_LIVENESS = {
    "connect_timeout": 2,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

Connection = psycopg.Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class Database:
    """The two doors to one database, and the embedded server behind them if there is one."""

    service_url: str
    admin_url: str
    server: embedded.Server | None = None


@contextmanager
def database(settings: Settings, *, supervise: bool = False) -> Iterator[Database]:
    """Resolve the settings; without a URL the embedded PostgreSQL runs as long as the block.

    `supervise` starts the embedded server again whenever it dies.
    """
    if settings.database_url is not None:
        yield external(settings.database_url, settings.admin_database_url)
        return
    with embedded.server(settings.data_dir, supervise=supervise) as server:
        yield Database(server.url(user=SERVICE_ROLE), server.url(), server)


def external(service_url: str, admin_url: str | None) -> Database:
    """The doors to a database that somebody else runs."""
    if admin_url is not None and admin_url != service_url:
        return Database(service_url, admin_url)
    return Database(_with_options(service_url, f"-c role={SERVICE_ROLE}"), service_url)


def read_schema(schema: str) -> str:
    """The schema of a book's read models, beside the one of its log."""
    return f"read_{schema.removeprefix('book_')}"


def search_path(schema: str, *, read_models: bool = False) -> str:
    """A book's log first, then its read models where they are wanted.

    Whatever the service makes, it makes among the read models, and nothing there comes before the
    log. pg_catalog is not named and so comes before all: nobody can shadow a built-in function.
    """
    models = f'"{read_schema(schema)}",' if read_models else ""
    return f'"{schema}",{models}tokenledger'


def conninfo(
    url: str,
    schema: str | None = None,
    *,
    read_models: bool = False,
    application: str = "tokenledger",
) -> str:
    """A complete connection string, to a book's schemas if its schema is given."""
    text = make_conninfo(_to_primary(url), application_name=application, **_LIVENESS)
    options = f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_S * 1_000:.0f}"
    if schema is not None:
        options += f" -c search_path={search_path(schema, read_models=read_models)}"
    return _with_options(text, options)


def connect(
    url: str,
    schema: str | None = None,
    *,
    read_models: bool = False,
    autocommit: bool = False,
    application: str = "tokenledger",
    answer_s: float | None = None,
) -> Connection:
    """Connect, to a book's log if its schema is given, and to its read models if asked for.

    Raises `psycopg.OperationalError`. With `answer_s` the connection is cut as soon as one answer
    takes longer.
    """
    text = conninfo(url, schema, read_models=read_models, application=application)
    if answer_s is None:
        return psycopg.connect(text, autocommit=autocommit)
    connection = _Impatient.connect(text, autocommit=autocommit)
    connection.answer_s = answer_s
    return connection


def pool(
    url: str,
    schema: str | None = None,
    *,
    connections_max: int,
    application: str = "tokenledger-read",
) -> ConnectionPool[Connection]:
    """An unopened pool of autocommit connections for readers.

    It waits at most a second for a connection, so that a database that is away is noticed soon.
    One broken connection means that all may be: they are replaced together, not one by one with
    a growing pause after each.
    """

    def check(connection: Connection) -> None:
        try:
            with within(connection, CHECK_S):
                ConnectionPool.check_connection(connection)
        except psycopg.OperationalError:
            readers.drain()
            raise

    readers: ConnectionPool[Connection] = ConnectionPool(
        conninfo(url, schema, application=application),
        kwargs={"autocommit": True},
        min_size=1,
        max_size=connections_max,
        timeout=1.0,
        reconnect_timeout=5.0,
        check=check,
        name=application,
        open=False,
    )
    return readers


class _Impatient(psycopg.Connection[TupleRow]):
    """A connection that is cut when an answer does not come in time."""

    answer_s = CHECK_S

    def wait(self, *args: Any, **kwargs: Any) -> Any:
        """All that waits for the server waits here."""
        with within(self, self.answer_s):
            return super().wait(*args, **kwargs)


def _to_primary(url: str) -> str:
    """`url`, which looks for the primary if it names several servers and does not say for what."""
    named = conninfo_to_dict(url)
    several = any("," in str(named.get(key, "")) for key in ("host", "hostaddr"))
    if not several or "target_session_attrs" in named:
        return url
    return make_conninfo(url, target_session_attrs="read-write")


def _with_options(url: str, options: str) -> str:
    before = conninfo_to_dict(url).get("options")
    return make_conninfo(url, options=f"{before} {options}" if before else options)
