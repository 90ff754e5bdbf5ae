"""How far incoming topics are taken: claimed by one member at a time, moved on with the effect.

A member that was frozen while its partitions were given to others finds out in the transaction that
was to carry its effect: claim, generation and member are checked there, and it takes everything
back.
"""

from uuid import UUID

import msgspec

from ledger.postgres import sql_files
from ledger.postgres.database import Connection

SQL = sql_files.load("consumed")


class Fenced(Exception):
    """The partition was given to another member since."""


class OutOfTurn(Exception):
    """What comes before is not taken yet."""


class Claim(msgspec.Struct, frozen=True):
    """One member's hold on one partition of one incarnation of a topic."""

    consumer: str
    topic: str
    partition: int
    topic_id: UUID
    generation: int
    member: str
    epoch: int = 0
    #: The effect of everything before it is in the log.
    next_offset: int = 0
    #: Everything before it was answered, too.
    settled_offset: int = 0

    @property
    def values(self) -> dict[str, object]:
        """Its fields, as queries name them."""
        return msgspec.structs.asdict(self)


def claim(connection: Connection, wanted: Claim, *, proven: bool = False) -> Claim | None:
    """Begin with a partition; None if a later generation has it and membership is not `proven`."""
    values = wanted.values | {"proven": proven}
    row = connection.execute(SQL["claim"], values).fetchone()
    if row is None:
        return None
    epoch, next_offset, settled = row
    return msgspec.structs.replace(
        wanted, epoch=epoch, next_offset=next_offset, settled_offset=settled
    )


def advance(
    connection: Connection, held: Claim, *, first: int, until: int, settled: int = 0
) -> None:
    """Messages from `first` on are taken up to and without `until`; raises Fenced, OutOfTurn."""
    values = held.values | {"first": first, "until": until, "settled": settled}
    if connection.execute(SQL["advance"], values).fetchone() is not None:
        return
    row = connection.execute(SQL["holder"], held.values).fetchone()
    if row is not None and row[0] == held.epoch and row[1] < first:
        raise OutOfTurn(first)
    raise Fenced(f"{held.topic}/{held.partition}")
