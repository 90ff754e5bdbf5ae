"""Creates what is not there yet: a book's read model tables and their checkpoints.

The service's own role makes them, in the book's schema of read models, so that a rebuild can make
them again beside the live ones. They stand where their checkpoints do.
"""

from collections.abc import Sequence

from psycopg import sql

from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from projections.engine.projection import Projection, template

SQL = sql_files.load("checkpoints", "projections")
TABLES = sql_files.load("tables", "projections")


def install(connection: Connection, projections: Sequence[Projection]) -> None:
    """Make missing checkpoints, at 0, and their tables; cheap when nothing is missing."""
    with connection.transaction():
        names = [projection.checkpoint for projection in projections]
        row = connection.execute(SQL["followed"], (names,)).fetchone()
        if row is not None and row[0] == len(names):
            return
        connection.execute(SQL["guard"])
        for projection in projections:
            create(connection, projection)


def create(connection: Connection, projection: Projection, *, indexed: bool = True) -> None:
    """Make a projection's checkpoint and tables unless it has them; in a transaction."""
    checkpoint = (projection.checkpoint, projection.version)
    if connection.execute(SQL["follow"], checkpoint).fetchone() is not None:
        connection.execute(SQL["beside_checkpoints"])
        connection.execute(projection.sql["tables"])
        if indexed:
            connection.execute(projection.sql["indexes"])


def drop(connection: Connection, projection: Projection) -> None:
    """Remove a projection's tables and checkpoint."""
    suffix = projection.checkpoint.removeprefix(projection.name)
    for table in projection.tables:
        name = sql.Identifier(f"{table.name}{suffix}")
        connection.execute(template(TABLES["drop"]).format(table=name))
    connection.execute(SQL["forget"], (projection.checkpoint,))
