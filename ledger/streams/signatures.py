"""Who posts a message: signed with an API key of the book, which itself is never sent.

A topic is read by others and kept for days, so a key in it would be a key given away; a bare key
id would let whoever may write to the topic be anybody. A message carries the key's id and an
HMAC-SHA256 over topic, message key and value. Its secret is SHA-256 of the API key, which both
sides have: the sender from the key, the database from `api_keys`, where it compares and tells
nobody. What the signature does not hold off is that a message is sent again; idempotency keys and
references do.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence

import msgspec

from ledger.api_keys import Identity, SignedMessage, key_digest, signers
from ledger.postgres.database import Connection

KEY_ID = "tokenledger-key-id"
SIGNATURE = "tokenledger-signature"
VERSION = b"v1="
_KEY_ID = re.compile(r"tlk_([a-z0-9]{12})_")
_ID = re.compile(rb"[a-z0-9]{12}")
_MAC = re.compile(rb"[0-9a-f]{64}")


class Unsigned(msgspec.Struct, frozen=True):
    """Why nobody who may post has signed a message; `reason` is a stable code."""

    reason: str
    detail: str


UNKNOWN_KEY = Unsigned("UNKNOWN_KEY", "this book has no such key, or it was revoked")
BAD_SIGNATURE = Unsigned("BAD_SIGNATURE", "the signature is not that of this message")


def signed(api_key: str, topic: str, key: bytes | None, value: bytes) -> list[tuple[str, bytes]]:
    """The headers that a sender adds to a message."""
    found = _KEY_ID.match(api_key)
    if found is None:
        raise ValueError("this is no API key")
    mac = _mac(key_digest(api_key), topic, key, value)
    return [(KEY_ID, found[1].encode()), (SIGNATURE, VERSION + mac.encode())]


class Message(msgspec.Struct, frozen=True):
    """A message of a topic, as far as it is signed, and what is said about it."""

    key: bytes | None
    value: bytes
    headers: Mapping[str, bytes]


def verified(
    connection: Connection, book: str, topic: str, messages: Sequence[Message]
) -> list[Identity | Unsigned]:
    """Who signed each message, or why it counts as signed by nobody.

    Raises what psycopg raises while the database is away.
    """
    claims = [_claim(topic, message) for message in messages]
    made = [claim for claim in claims if isinstance(claim, SignedMessage)]
    found = iter(signers(connection, book, made) if made else ())
    return [claim if isinstance(claim, Unsigned) else _judged(*next(found)) for claim in claims]


def _claim(topic: str, message: Message) -> SignedMessage | Unsigned:
    """What the message says of itself."""
    key_id, signature = message.headers.get(KEY_ID), message.headers.get(SIGNATURE)
    if key_id is None or signature is None:
        return Unsigned("UNSIGNED", f"the headers {KEY_ID} and {SIGNATURE} are required")
    if not signature.startswith(VERSION):
        return Unsigned("UNKNOWN_VERSION", "signatures of this version are not known here")
    if not _ID.fullmatch(key_id):
        return UNKNOWN_KEY
    hexadecimal = signature.removeprefix(VERSION)
    mac = bytes.fromhex(hexadecimal.decode()) if _MAC.fullmatch(hexadecimal) else b""
    said = _parts(topic, message.key) + message.value
    return SignedMessage(key_id.decode(), said, mac)


def _judged(identity: Identity | None, good: bool) -> Identity | Unsigned:
    if identity is None:
        return UNKNOWN_KEY
    return identity if good else BAD_SIGNATURE


def _parts(topic: str, key: bytes | None) -> bytes:
    """What is signed before the value: the topic and SHA-256 of the message's key."""
    return topic.encode() + b"\0" + hashlib.sha256(b"" if key is None else key).digest()


def _mac(secret: bytes, topic: str, key: bytes | None, value: bytes) -> str:
    return hmac.new(secret, _parts(topic, key) + value, "sha256").hexdigest()
