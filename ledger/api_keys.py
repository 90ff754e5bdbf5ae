"""API keys: who may do what in which book.

A key reads `tlk_<key_id>_<secret>`. It is shown once, when it is made; the database keeps only
its SHA-256, which is enough because a secret is 256 random bits. Not even that can the service
read: it asks whether a key, or a message's signature, is good. A good key is remembered for a few
seconds, so that a request costs no query and a revoked key soon stops working.
"""

import hashlib
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import accumulate
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool

from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from ledger.postgres.deadlines import within
from ledger.write.request import NOTICES

SQL = sql_files.load("keys")
#: How long looking up a key may take until the connection is cut.
LOOK_UP_S = 2.0
_KEY = re.compile(r"tlk_([a-z0-9]{12})_([A-Za-z0-9_-]{43})")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


class Role(StrEnum):
    """What the holder of a key is to the book; each command says which of these may send it."""

    SERVICE = "service"
    FINANCE = "finance"
    APPROVER = "approver"
    ADMIN = "admin"
    AUDITOR = "auditor"
    MODERATOR = "moderator"
    FAN = "fan"
    CREATOR = "creator"


class Kind(StrEnum):
    """Whose a key is: people approve, machines request."""

    PERSON = "person"
    MACHINE = "machine"


class InvalidKeyRequest(Exception):
    """A key that cannot be made as asked."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a request comes from."""

    role: Role
    actor: str
    client: str  # scope of idempotency keys
    key_id: str
    kind: Kind | None = None  # of keys that were made before there were kinds

    @property
    def is_person(self) -> bool:
        """Whether a person holds the key; without a kind, a machine does if it is a service."""
        if self.kind is None:
            return self.role is not Role.SERVICE
        return self.kind is Kind.PERSON


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at the only moment at which it is known."""

    key: str
    identity: Identity


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key as it may be listed."""

    key_id: str
    role: Role
    actor: str
    client: str
    created_at: datetime
    revoked_at: datetime | None
    kind: Kind | None


def create_key(
    admin: Connection,
    book: str,
    *,
    role: Role,
    actor: str,
    client: str | None = None,
    kind: Kind | None = None,
) -> NewKey:
    """Make a key; keys of one `client` (by default the actor) share their idempotency keys."""
    identity = Identity(role, actor, client or actor, _new_key_id(), kind)
    if not _NAME.fullmatch(identity.actor) or not _NAME.fullmatch(identity.client):
        raise InvalidKeyRequest("actor and client are 1 to 64 of A-Z a-z 0-9 _ -")
    if identity.client == NOTICES:
        raise InvalidKeyRequest(f"no client is called {NOTICES!r}: processors' notices are")
    key = f"tlk_{identity.key_id}_{secrets.token_urlsafe(32)}"
    values = {
        "key_hash": key_digest(key),
        "key_id": identity.key_id,
        "book": book,
        "role": str(role),
        "actor": identity.actor,
        "client": identity.client,
        "kind": kind,
    }
    try:
        with admin.transaction():
            admin.execute(SQL["create"], values)
    except psycopg.errors.ForeignKeyViolation:
        raise InvalidKeyRequest(f"there is no book named {book!r}") from None
    return NewKey(key, identity)


def revoke_key(admin: Connection, key_id: str) -> bool:
    """End a key; False when there is none of this id that is still good."""
    with admin.transaction():
        return admin.execute(SQL["revoke"], [key_id]).fetchone() is not None


def list_keys(connection: Connection, book: str) -> list[KeyRecord]:
    """A book's keys, in the order in which they were made."""
    rows = connection.execute(SQL["list"], [book]).fetchall()
    return [
        KeyRecord(key_id, Role(role), actor, client, created, revoked, _kind(kind))
        for key_id, role, actor, client, created, revoked, kind in rows
    ]


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """What somebody says to have signed: HMAC-SHA256 under the SHA-256 of the key of `key_id`."""

    key_id: str
    message: bytes
    signature: bytes


def signers(
    connection: Connection, book: str, signed: Sequence[SignedMessage]
) -> list[tuple[Identity | None, bool]]:
    """Of each message, who holds the key, None if the book has no such good one, and whether it is
    signed with it. One query: the database compares, so that nobody else needs to know the digests.
    """
    values = {
        "ids": [each.key_id for each in signed],
        "messages": b"".join(each.message for each in signed),
        "ends": list(accumulate(len(each.message) for each in signed)),
        "signatures": [each.signature for each in signed],
    }
    rows = connection.execute(SQL["signed"], values).fetchall()
    return [
        (_identity(row[:5], each.key_id), bool(row[5])) if row[0] == book else (None, False)
        for each, row in zip(signed, rows, strict=True)
    ]


class KeyRing:
    """Tells who holds a key; remembers good keys for `ttl_s`, at most `capacity` of them."""

    def __init__(
        self,
        pool: ConnectionPool[Connection],
        *,
        ttl_s: float = 5.0,
        capacity: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._ttl_s = ttl_s
        self._capacity = capacity
        self._clock = clock
        self._known: OrderedDict[tuple[str, bytes], tuple[float, Identity]] = OrderedDict()
        self._lock = threading.Lock()

    def authenticate(self, book: str, key: str) -> Identity | None:
        """The holder of a good key of this book, else None; may ask the database.

        Raises `psycopg.OperationalError` when the database is needed and away.
        """
        return self.remembered(book, key) or self._look_up(book, key)

    def remembered(self, book: str, key: str) -> Identity | None:
        """As `authenticate`, from memory alone: never waits, None also for a key not seen."""
        with self._lock:
            good_until, identity = self._known.get((book, key_digest(key)), (0.0, None))
            return identity if self._clock() < good_until else None

    def book_of(self, key: str) -> str | None:
        """The book that a good key opens, else None; asks the database."""
        opened = self.opened_by(key)
        return None if opened is None else opened[0]

    def opened_by(self, key: str) -> tuple[str, Identity] | None:
        """The book that a good key opens, and its holder, else None; asks the database."""
        if not well_formed(key):
            return None
        values = [_key_id(key), key_digest(key)]
        with self._pool.connection() as connection, within(connection, LOOK_UP_S):
            row = connection.execute(SQL["holder"], values).fetchone()
        return None if row is None else (str(row[0]), _identity(row, _key_id(key)))

    def _look_up(self, book: str, key: str) -> Identity | None:
        opened = self.opened_by(key)
        if opened is None or opened[0] != book:
            return None
        digest, identity = key_digest(key), opened[1]
        with self._lock:
            self._known[book, digest] = (self._clock() + self._ttl_s, identity)
            self._known.move_to_end((book, digest))
            while len(self._known) > self._capacity:
                self._known.popitem(last=False)
        return identity


def _identity(row: tuple[Any, ...], key_id: str) -> Identity:
    _, role, actor, client, kind = row
    return Identity(Role(role), actor, client, key_id, _kind(kind))


def _kind(stored: str | None) -> Kind | None:
    return None if stored is None else Kind(stored)


def well_formed(key: str) -> bool:
    """Whether this may be a key at all."""
    return _KEY.fullmatch(key) is not None


def _key_id(key: str) -> str:
    return key.split("_", 2)[1]


def key_digest(key: str) -> bytes:
    """What the database keeps of a key: SHA-256 of it."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _new_key_id() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(12))
