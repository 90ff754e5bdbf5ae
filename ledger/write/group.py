"""Groups: requests of one caller that wait together, and what is written along with them."""

from collections.abc import Callable, Sequence

import msgspec

from ledger.postgres.database import Connection
from ledger.write.answer import Answer
from ledger.write.request import Request

#: Writes something of its caller's before COMMIT, in the transaction of a group whose answers it
#: sees. Whatever it raises takes the batch back; it may be called again for the same group.
Alongside = Callable[[Connection, Sequence[Answer]], None]


class Group(msgspec.Struct, frozen=True):
    """Requests of one caller; atomic ones are decided all or none. `size_bytes`: as received."""

    requests: Sequence[Request]
    atomic: bool = False
    size_bytes: int = 0
    alongside: Alongside | None = None
