"""API keys open one book, are stored as hashes only, and stop working soon after revocation."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg
import pytest

from ledger import api_keys as keys
from ledger.api_keys import Identity, InvalidKeyRequest, KeyRing, Kind, NewKey, Role
from ledger.postgres.database import pool
from tests.conftest import FreshBook


@dataclass
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Door:
    book: str
    fresh: FreshBook
    ring: KeyRing
    clock: Clock = field(default_factory=Clock)

    def new_key(self, role: Role = Role.SERVICE, actor: str = "shop", **more: str) -> NewKey:
        with self.fresh.connect_admin(autocommit=True) as admin:
            return keys.create_key(admin, self.book, role=role, actor=actor, **more)


@pytest.fixture
def door(fresh_book: FreshBook) -> Iterator[Door]:
    clock = Clock()
    with pool(fresh_book.service_url, connections_max=1) as readers:
        ring = KeyRing(readers, ttl_s=5, capacity=2, clock=clock)
        yield Door(fresh_book.book.name, fresh_book, ring, clock)


@pytest.mark.parametrize("role", list(Role))
def test_a_key_names_its_holder(door: Door, role: Role) -> None:
    made = door.new_key(role, "ann", client="shop-1")
    assert door.ring.authenticate(door.book, made.key) == Identity(
        role, "ann", "shop-1", made.identity.key_id
    )


@pytest.mark.parametrize(
    ("role", "kind", "person"),
    [
        (Role.SERVICE, None, False),
        (Role.APPROVER, None, True),
        (Role.APPROVER, Kind.MACHINE, False),
        (Role.SERVICE, Kind.PERSON, True),
    ],
)
def test_a_key_is_a_persons_or_a_machines(
    door: Door, role: Role, kind: Kind | None, person: bool
) -> None:
    with door.fresh.connect_admin(autocommit=True) as admin:
        made = keys.create_key(admin, door.book, role=role, actor="ann", kind=kind)
        (listed,) = keys.list_keys(admin, door.book)
    holder = door.ring.authenticate(door.book, made.key)
    assert holder is not None and holder.is_person is person
    assert listed.kind is kind


def test_the_client_is_the_actor_unless_named(door: Door) -> None:
    assert door.new_key(actor="shop").identity.client == "shop"


def test_wrong_keys_open_nothing(door: Door) -> None:
    key = door.new_key().key
    altered = key[:-1] + ("A" if key[-1] != "A" else "B")
    for wrong in ("", "tlk_", altered, key + "x", key.upper(), "tlk_" + "a" * 12, "\udcff\0"):
        assert door.ring.authenticate(door.book, wrong) is None
    assert door.ring.authenticate("other-book", key) is None
    assert door.ring.authenticate(door.book, key) is not None
    assert door.ring.authenticate("other-book", key) is None


def test_the_database_keeps_the_hash_only(door: Door) -> None:
    made = door.new_key()
    with door.fresh.connect_admin() as admin:
        row = admin.execute(
            "SELECT api_keys::text FROM api_keys WHERE key_id = %s", [made.identity.key_id]
        ).fetchone()
    assert row is not None
    assert made.key.rsplit("_", 1)[-1] not in row[0]
    assert made.key not in repr(made.identity)


def test_a_revoked_key_stops_working_when_it_is_forgotten(door: Door) -> None:
    made = door.new_key()
    assert door.ring.authenticate(door.book, made.key)
    with door.fresh.connect_admin(autocommit=True) as admin:
        assert keys.revoke_key(admin, made.identity.key_id)
        assert not keys.revoke_key(admin, made.identity.key_id)
    assert door.ring.remembered(door.book, made.key)
    door.clock.now += 5
    assert door.ring.remembered(door.book, made.key) is None
    assert door.ring.authenticate(door.book, made.key) is None


def test_only_so_many_keys_are_remembered(door: Door) -> None:
    made = [door.new_key().key for _ in range(3)]
    for key in made:
        assert door.ring.authenticate(door.book, key)
    remembered = [door.ring.remembered(door.book, key) is not None for key in made]
    assert remembered == [False, True, True]


def test_keys_are_listed_without_what_opens(door: Door) -> None:
    made = door.new_key(Role.FINANCE, "ann")
    with door.fresh.connect() as service:
        (record,) = keys.list_keys(service, door.book)
    assert (record.key_id, record.role, record.actor) == (made.identity.key_id, "finance", "ann")


def test_keys_that_cannot_be_made(door: Door) -> None:
    with pytest.raises(InvalidKeyRequest):
        door.new_key(actor="two words")
    with door.fresh.connect_admin() as admin, pytest.raises(InvalidKeyRequest):
        keys.create_key(admin, "nowhere", role=Role.SERVICE, actor="a")
    with door.fresh.connect() as service, pytest.raises(psycopg.errors.InsufficientPrivilege):
        keys.create_key(service, door.book, role=Role.ADMIN, actor="thief")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT key_hash FROM tokenledger.api_keys",
        "SELECT * FROM tokenledger.api_keys",
        "SELECT 1 FROM tokenledger.api_keys WHERE key_hash > ''",
        "INSERT INTO tokenledger.api_keys VALUES (sha256(''), 'k', 'b', 'admin', 'a', 'c')",
        "UPDATE tokenledger.api_keys SET revoked_at = NULL",
        "DELETE FROM tokenledger.api_keys",
        "SET ROLE tokenledger_keys",
    ],
)
def test_whoever_writes_snapshots_neither_reads_nor_writes_keys(door: Door, statement: str) -> None:
    door.new_key()
    with door.fresh.connect() as service:
        service.execute("INSERT INTO snapshots VALUES ('wallet:u1', 1, 1, '')")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            service.execute(statement.encode())


def test_whoever_writes_keys_has_no_right_in_a_book(door: Door) -> None:
    with door.fresh.connect_admin() as admin:
        admin.execute("SET ROLE tokenledger_keys")
        made = keys.create_key(admin, door.book, role=Role.FINANCE, actor="ann")
        assert keys.revoke_key(admin, made.identity.key_id)
        for statement in ("SELECT FROM snapshots", "DELETE FROM snapshots", "SELECT FROM head"):
            with pytest.raises(psycopg.errors.Error), admin.transaction():
                admin.execute(statement.encode())
        rights = admin.execute(
            "SELECT count(*) FROM information_schema.role_table_grants"
            " WHERE grantee = 'tokenledger_keys' AND table_name <> 'api_keys'"
        ).fetchone()
        assert rights == (0,)


def test_no_client_shares_its_keys_with_notices(door: Door) -> None:
    """A request of a client called `notice` could be taken for a processor's notice."""
    for named in ({"actor": "notice"}, {"actor": "shop", "client": "notice"}):
        with pytest.raises(InvalidKeyRequest, match="notice"):
            door.new_key(**named)
