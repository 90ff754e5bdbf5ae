"""The connections that writers and what is behind them share."""

from collections.abc import Callable

from ledger.postgres import sql_files
from ledger.postgres.book_connections import ENTER_S, BookConnections
from ledger.postgres.database import Connection
from ledger.postgres.deadlines import within

SQL = sql_files.load("sequencer")

#: For a writer that shares with nobody: its own, and one for its snapshots.
ALONE_MAX = 2


def connections_of_writers(
    connect: BookConnections | Callable[[], Connection],
    connections_max: int = ALONE_MAX,
    *,
    idle_s: float = 60.0,
) -> BookConnections:
    """Connections with the settings that writing needs; what are such already, as they are."""
    if isinstance(connect, BookConnections):
        return connect

    def connected() -> Connection:
        connection = connect()
        try:
            with within(connection, ENTER_S):
                connection.execute(SQL["settle"])
        except BaseException:
            connection.close()
            raise
        return connection

    return BookConnections(connected, connections_max=connections_max, idle_s=idle_s)
