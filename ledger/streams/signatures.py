"""Who posts a message: signed with an API key of the book, which itself is never sent.

A topic is read by others and kept for days, so a key in it would be a key given away; a bare key
id would let whoever may write to the topic be anybody. A message carries the key's id and an
HMAC-SHA256 over topic, message key and value. Its secret is SHA-256 of the API key, which both
sides have: the sender from the key, the ledger from `api_keys`. What the signature does not hold
off is that a message is sent again; idempotency keys and references do.
"""

import hashlib
import hmac
import re
import time
from collections import OrderedDict
from collections.abc import Mapping

import msgspec

from ledger.api_keys import Identity, key_digest, key_of_id
from ledger.postgres.database import Connection

KEY_ID = "tokenledger-key-id"
SIGNATURE = "tokenledger-signature"
VERSION = b"v1="
_KEY_ID = re.compile(r"tlk_([a-z0-9]{12})_")
REMEMBERED_MAX = 1_000


class Unsigned(Exception):
    """A message that nobody who may post has signed; `reason` is a stable code."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


class _Signer(msgspec.Struct, frozen=True):
    identity: Identity | None
    secret: bytes
    good_until: float


def signed(api_key: str, topic: str, key: bytes | None, value: bytes) -> list[tuple[str, bytes]]:
    """The headers that a sender adds to a message."""
    found = _KEY_ID.match(api_key)
    if found is None:
        raise ValueError("this is no API key")
    mac = _mac(key_digest(api_key), topic, key, value)
    return [(KEY_ID, found[1].encode()), (SIGNATURE, VERSION + mac.encode())]


class Signers:
    """Tells who signed a message of one book; remembers keys, good or not, for `ttl_s`."""

    def __init__(self, book: str, *, ttl_s: float) -> None:
        self._book = book
        self._ttl_s = ttl_s
        self._known: OrderedDict[str, _Signer] = OrderedDict()

    def verified(
        self,
        connection: Connection,
        topic: str,
        key: bytes | None,
        value: bytes,
        headers: Mapping[str, bytes],
    ) -> Identity:
        """Who signed; raises Unsigned, and what psycopg raises while the database is away."""
        key_id, signature = headers.get(KEY_ID), headers.get(SIGNATURE)
        if key_id is None or signature is None:
            raise Unsigned("UNSIGNED", f"the headers {KEY_ID} and {SIGNATURE} are required")
        if not signature.startswith(VERSION):
            raise Unsigned("UNKNOWN_VERSION", "signatures of this version are not known here")
        signer = self._signer(connection, key_id.decode("ascii", "replace"))
        if signer.identity is None:
            raise Unsigned("UNKNOWN_KEY", "this book has no such key, or it was revoked")
        mac = _mac(signer.secret, topic, key, value)
        if not hmac.compare_digest(VERSION + mac.encode(), signature):
            raise Unsigned("BAD_SIGNATURE", "the signature is not that of this message")
        return signer.identity

    def _signer(self, connection: Connection, key_id: str) -> _Signer:
        known = self._known.get(key_id)
        now = time.monotonic()
        if known is not None and now < known.good_until:
            return known
        found = key_of_id(connection, self._book, key_id)
        identity, secret = found or (None, b"")
        known = self._known[key_id] = _Signer(identity, secret, now + self._ttl_s)
        self._known.move_to_end(key_id)
        while len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)
        return known


def _mac(secret: bytes, topic: str, key: bytes | None, value: bytes) -> str:
    parts = hashlib.sha256(b"" if key is None else key).digest() + value
    return hmac.new(secret, topic.encode() + b"\0" + parts, "sha256").hexdigest()
