"""A sound book in which something of everything happened, copies of it, and changes undone.

Whoever forges does so in a transaction that is rolled back, or in a database that is a copy.
"""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from psycopg import sql

from ledger.books import create_book
from ledger.postgres import embedded
from ledger.postgres.database import SERVICE_ROLE, Connection, connect
from ledger.postgres.migrations import migrate
from ledger.scheduling.agenda import Agenda
from ledger.verification.difference import Difference
from projections.verify import Verification, verify
from tests.conftest import FreshBook
from tests.golden.history import APPROVER, FINANCE
from tests.projections.following import POLICY, follow
from tests.scenarios.steps import Sent, card_tip, grant, policy, purchase, tip, unlock
from tests.scenarios.write_path import WritePath

SOUND = "silent"
_numbers = itertools.count(1)

TERMS = {"products_enabled": ["unlock", "tip", "hold", "subscription"], "payout_minimum": 100}


def live(stage: WritePath) -> None:
    """A day with something of everything that is kept beside the log."""
    stage.given(
        policy({**POLICY, **TERMS}),
        purchase("small", 999, "ann", ref="p-ann"),
        purchase("small", 999, "ben", ref="p-ben"),
        purchase("small", 999, "dee", ref="p-dee"),
        grant(50, "ann", expires_at="2036-01-01T00:00:00Z"),
        [tip(10, "ann", "cora") for _ in range(5)],
        unlock(399, "photo", "ben"),
        tip(1_100, "dee", "cora"),
        card_tip(5_000, "eve", "cora", processor_ref="c-eve"),
        Sent("hold-credits", {"user": "ben", "tokens": 100, "expires_at": "2036-01-01T00:00:00Z"}),
        Sent("set-payout-account", {"creator": "cora", "payouts_enabled": True}),
    )
    stage.when(Sent("request-payout", {"creator": "cora", "amount": 1_000}))
    payout = {"payout": stage.outcomes[0].event["payout_id"]}
    stage.given(Sent("approve-payout", payout, *APPROVER))
    legs = [["exp.goodwill", "USD", 250], ["cr.cora.available", "USD", -250]]
    proposal = {"postings": legs, "reason_code": "GOODWILL", "evidence": "a letter"}
    stage.given(Sent("propose-adjustment", proposal, *FINANCE))
    period = {"period_start": "2026-11-01T00:00:00Z", "period_end": "2026-12-01T00:00:00Z"}
    charged = {"subscription": "s1", "price": 999, "processor": "stripe", "processor_ref": "s-1"}
    stage.when(Sent("charge-period", {**charged, **period}))  # parked
    stage.when(purchase("small", 998, "ann", ref="odd"), purchase("small", 997, ref="odder"))
    returned = {"payment_ref": "odder", "resolution": "RETURN"}
    stage.given(Sent("release-payment", returned, *FINANCE))
    stage.when(tip(1_000_000, "ann", "cora"))  # refused
    stage.given(tip(7, "ben", "carl"), grant(7, "ben", expires_at="2036-01-01T00:00:00Z"))


@pytest.fixture(scope="session")
def sound(server: embedded.Server) -> FreshBook:
    """The book before anybody has changed it."""
    with connect(server.url(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {SOUND}".encode())
    url = server.url(dbname=SOUND)
    migrate(url)
    book = create_book(url, "Silent", currency="USD", time_zone="UTC", partition_rows=1_000)
    fresh = FreshBook(book, server.url(user=SERVICE_ROLE, dbname=SOUND), url)
    stage = WritePath(fresh)
    live(stage)
    stage.close()
    follow(fresh)
    with fresh.connect(autocommit=True) as connection:
        Agenda(book, connection).read_on()
    return fresh


@contextmanager
def copied(server: embedded.Server, sound: FreshBook) -> Iterator[FreshBook]:
    """A copy of that book, in a database of its own."""
    name = f"{SOUND}_{next(_numbers)}"
    with connect(server.url(), autocommit=True) as admin:
        named = sql.Identifier(name), sql.Identifier(SOUND)
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*named))
        try:
            url = server.url(dbname=name)
            yield FreshBook(sound.book, server.url(user=SERVICE_ROLE, dbname=name), url)
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def verified(fresh: FreshBook, *, structure: bool = False) -> Verification:
    """What verification finds from end to end."""
    admin_url = fresh.admin_url if structure else None
    return verify(fresh.service_url, fresh.book, admin_url=admin_url)


@contextmanager
def undone(fresh: FreshBook) -> Iterator[Connection]:
    """A superuser's connection; nothing of what is done over it stays."""
    with (
        fresh.connect_admin(autocommit=True) as connection,
        connection.transaction(force_rollback=True),
    ):
        yield connection


def told(found: Sequence[Difference], what: str, where: str) -> bool:
    """Whether something of this kind was found that says this."""
    return any(one.what == what and where in f"{one.expected} {one.found}" for one in found)
