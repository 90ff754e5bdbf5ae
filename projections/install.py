"""Creates what is not there yet: a book's read model tables and their checkpoints.

The service's own role makes them, in the book's schema, so that a rebuild can make them again
beside the live ones.
"""

from collections.abc import Sequence

from ledger import queries
from ledger.database import Connection
from projections.projection import Projection

SQL = queries.load("checkpoints", "projections")


def install(connection: Connection, projections: Sequence[Projection]) -> None:
    """Make missing checkpoints, at 0, and their tables; cheap when nothing is missing."""
    with connection.transaction():
        names = [projection.checkpoint for projection in projections]
        row = connection.execute(SQL["followed"], (names,)).fetchone()
        if row is not None and row[0] == len(names):
            return
        connection.execute(SQL["guard"])
        for projection in projections:
            checkpoint = (projection.checkpoint, projection.version)
            if connection.execute(SQL["follow"], checkpoint).fetchone() is not None:
                connection.execute(projection.sql["tables"])
                connection.execute(projection.sql["indexes"])
