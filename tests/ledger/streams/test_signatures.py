"""Who signed a message is found out by the database, which shows nobody what it compares with."""

from collections.abc import Iterator

import pytest

from ledger.api_keys import NewKey, Role, create_key, revoke_key
from ledger.postgres.database import Connection
from ledger.streams.signatures import (
    KEY_ID,
    SIGNATURE,
    Message,
    Unsigned,
    signed,
    verified,
)
from tests.conftest import FreshBook

TOPIC = "tokenledger.b.commands"


@pytest.fixture
def service(fresh_book: FreshBook) -> Iterator[Connection]:
    with fresh_book.connect(autocommit=True) as connection:
        yield connection


def new_key(fresh_book: FreshBook, actor: str = "shop") -> NewKey:
    with fresh_book.connect_admin(autocommit=True) as admin:
        return create_key(admin, fresh_book.book.name, role=Role.SERVICE, actor=actor)


def message(made: NewKey, value: bytes, key: bytes | None = b"ann", topic: str = TOPIC) -> Message:
    return Message(key, value, dict(signed(made.key, topic, key, value)))


def test_whoever_signed_is_named_each_in_turn(fresh_book: FreshBook, service: Connection) -> None:
    shop, meter = new_key(fresh_book), new_key(fresh_book, "meter")
    messages = [
        message(shop, b"{}"),
        message(meter, b'{"a": "\xc3\xa9\x00"}'),
        message(shop, b"", key=None),
        message(meter, bytes(70_000)),
    ]
    found = verified(service, fresh_book.book.name, TOPIC, messages)
    assert found == [shop.identity, meter.identity, shop.identity, meter.identity]
    assert verified(service, fresh_book.book.name, TOPIC, []) == []


def test_whoever_did_not_sign_is_told_why(fresh_book: FreshBook, service: Connection) -> None:
    made = new_key(fresh_book)
    good = message(made, b"{}")
    headers = dict(good.headers)
    messages = [
        Message(b"ann", b"{}", {}),
        Message(b"ann", b"{}", {KEY_ID: headers[KEY_ID]}),
        Message(b"ann", b"{}", headers | {SIGNATURE: b"v2=00"}),
        Message(b"ann", b"{}", headers | {KEY_ID: b"a" * 12}),
        Message(b"ann", b"{}", headers | {KEY_ID: b"\xff, '\0"}),
        Message(b"ann", b"{}", headers | {SIGNATURE: b"v1=" + b"0" * 64}),
        Message(b"ann", b"{}", headers | {SIGNATURE: b"v1="}),
        Message(b"ann", b"{}", headers | {SIGNATURE: headers[SIGNATURE].upper()}),
        Message(b"ben", b"{}", headers),
        Message(b"ann", b"{ }", headers),
        message(made, b"{}", topic="tokenledger.b.payments"),
        good,
    ]
    found = verified(service, fresh_book.book.name, TOPIC, messages)
    told = [one.reason if isinstance(one, Unsigned) else one.actor for one in found]
    assert told == [
        *["UNSIGNED"] * 2,
        "UNKNOWN_VERSION",
        *["UNKNOWN_KEY"] * 2,
        *["BAD_SIGNATURE"] * 2,
        "UNKNOWN_VERSION",
        *["BAD_SIGNATURE"] * 3,
        "shop",
    ]


def test_a_key_that_was_revoked_or_is_another_books_signs_nothing(
    fresh_book: FreshBook, service: Connection
) -> None:
    made = new_key(fresh_book)
    said = [message(made, b"{}")]
    assert verified(service, fresh_book.book.name, TOPIC, said) == [made.identity]
    (elsewhere,) = verified(service, "another-book", TOPIC, said)
    with fresh_book.connect_admin(autocommit=True) as admin:
        revoke_key(admin, made.identity.key_id)
    (revoked,) = verified(service, fresh_book.book.name, TOPIC, said)
    for found in (elsewhere, revoked):
        assert isinstance(found, Unsigned) and found.reason == "UNKNOWN_KEY"
