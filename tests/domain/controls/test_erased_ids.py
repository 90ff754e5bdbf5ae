"""An erased id is closed: requests that name it are refused, notices apply."""

from typing import Any

import pytest

from domain.catalogue import read_command
from domain.command import COMMANDS
from domain.rejections import Rejection
from domain.wallets.wallet import Wallet
from tests.domain.in_memory_book import InMemoryBook, code
from tests.scenarios.policies import MICRO_UNLOCK

TERMS = {
    "funding": ["TOKEN", "CARD"],
    "revenue_share": {"default": 8000, "tiers": {"STANDARD": 7000}},
    "products_enabled": [
        "unlock",
        "message",
        "ticket",
        "tip",
        "call",
        "subscription",
        "session",
        "hold",
    ],
}
STRIPE = {"processor": "stripe", "processor_ref": "r1"}
CARD = {"funding": "CARD", **STRIPE}
REASON = {"reason_code": "X"}
DEAL = {"user": "ann", "creator": "carl"}
TOKEN_TIP = {**DEAL, "funding": "TOKEN", "amount": 5}
ITEM = {**DEAL, "funding": "TOKEN", "item": "photo", "price": 100}
SESSION = {"session": "s", "tier": "STANDARD", "amount": 500, **STRIPE}
SPENT = {"at": "2026-11-01T00:00:00Z", "spend": 5, "window_days": 30, "as_of_position": 1}
GOODWILL = [["exp.goodwill", "USD", 5], ["cr.carl.available", "USD", -5]]
TOKENS = [["supply", "demo.PROMO", 5], ["w.ann.free", "demo.PROMO", -5]]

REQUESTS: list[tuple[str, dict[str, Any]]] = [
    ("send-tip", TOKEN_TIP),
    ("unlock", ITEM),
    ("unlock-message", ITEM),
    ("buy-ticket", ITEM),
    ("grant-promo", {"user": "ann", "tokens": 5, **REASON}),
    ("start-call", {**DEAL, "call": "c", "rate": 5}),
    ("start-subscription", {**DEAL, "subscription": "s", "price": 5}),
    ("hold-credits", {"user": "ann", "tokens": 5}),
    ("authorize", {"user": "ann", "payee": "carl", **SESSION}),
    (
        "authorize",
        {
            "user": "ben",
            "payee": "cora",
            "payees": [{"creator": "carl", "weight": 1}, {"creator": "cora", "weight": 1}],
            **SESSION,
        },
    ),
    ("verify-creator", {"creator": "carl", "verified": True}),
    ("set-payout-account", {"creator": "carl", "payouts_enabled": True}),
    ("request-payout", {"creator": "carl", "amount": 5}),
    ("mature-earnings", {"creator": "carl"}),
    ("release-escrow", {"creator": "carl"}),
    ("expire-promo", {"user": "ann"}),
    ("lapse-tokens", {"user": "ann"}),
    ("change-tier", {"user": "ann", **SPENT}),
    ("freeze", {"subject": "ann", "kind": "wallet", "scope": "SPEND", **REASON}),
    ("unfreeze", {"subject": "carl", "kind": "creator", "scope": "EARN", **REASON}),
    ("propose-adjustment", {"postings": GOODWILL, **REASON}),
    ("propose-adjustment", {"postings": TOKENS, **REASON}),
]


def world() -> InMemoryBook:
    return InMemoryBook({**MICRO_UNLOCK, **TERMS})


def gone() -> InMemoryBook:
    place = world()
    place.happens("erase-subject", "alice", subject="ann", kind="wallet")
    place.happens("erase-subject", "alice", subject="carl", kind="creator")
    return place


@pytest.mark.parametrize(("name", "fields"), REQUESTS)
def test_6_31_a_request_that_names_somebody_erased(name: str, fields: dict[str, Any]) -> None:
    assert code(world().decide(name, **fields)) != "SUBJECT_ERASED"
    decision = gone().decide(name, **fields)
    assert isinstance(decision, Rejection)
    assert (decision.reason.code, decision.reason.status) == ("SUBJECT_ERASED", 409)
    assert decision.details["subject"] in ("ann", "carl")


def test_6_31_every_command_with_a_user_or_creator_is_tested_here() -> None:
    """Those that are left are notices, and the erasure itself."""
    named = {"user", "creator", "payee", "subject", "postings"}
    commands = {name for name, cls in COMMANDS.items() if named & set(cls.model_fields)}
    assert commands - {name for name, _ in REQUESTS} == {"record-purchase", "erase-subject"}


def test_6_31_notices_still_apply() -> None:
    place = gone()
    place.happens("send-tip", **{**TOKEN_TIP, **CARD})
    bought = {"user": "ann", "package": "small", "price": 999, "processor": "stripe"}
    place.happens("record-purchase", **bought, processor_ref="r2")
    wallet = place.states["wallet:ann"]
    assert isinstance(wallet, Wallet)
    assert wallet.erased and wallet.spendable(place.now) == 1_100
    assert read_command("record-purchase", {**bought, "processor_ref": "r3"}).subjects()
    assert code(place.decide("send-tip", **TOKEN_TIP)) == "SUBJECT_ERASED"


def test_6_31_the_other_kind_of_the_same_name_and_a_new_id_are_open() -> None:
    place = world()
    place.happens("erase-subject", "alice", subject="ann", kind="creator")
    place.happens("grant-promo", user="ann", tokens=50, **REASON)
    place.happens("send-tip", **TOKEN_TIP)
    assert code(place.decide("send-tip", **{**TOKEN_TIP, "creator": "ann", "user": "ben"}))
    place.happens("send-tip", **{**TOKEN_TIP, "creator": "ann-2"})


def test_6_31_a_second_erasure_changes_nothing() -> None:
    place = gone()
    assert place.decide("erase-subject", "alice", subject="ann", kind="wallet") == ()
