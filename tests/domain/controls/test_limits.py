"""No state grows without bound: every list of every kind has a limit, and what that comes to."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest

from domain.calls.call import PAUSES_MAX
from domain.command import Decision, Suspended
from domain.controls.limits import ROOM_FOR_NOTICES
from domain.creators.creator import Creator
from domain.entity import KINDS, State
from domain.holds.hold import BATCHES_MAX
from domain.rejections import LIMIT_REACHED, Rejection
from domain.sales.entitlement import GRANTS_MAX, Entitlement
from domain.subscriptions.subscription import PERIODS_MAX, Subscription
from domain.wallets.wallet import JOIN_FROM, LOTS_MAX, Wallet
from tests.domain.in_memory_book import InMemoryBook, code
from tests.scenarios.policies import (
    LIVE_CALL,
    MICRO_UNLOCK,
    PREPAID_CREDITS,
    SESSION_BOOKING,
    SUBSCRIPTION,
)

EVENTS = 10_000

#: Lists that something else bounds, and what.
BOUNDED_OTHERWISE = {
    "adjustment.legs": "one command names them",
    "call.terms": "one event",
    "creator.escrow_maturing": "an hour each up to 31 days, else a day each up to ten years",
    "creator.frozen": "a scope each",
    "creator.maturing": "an hour each up to 31 days, else a day each up to ten years",
    "dispute.opened": "one event",
    "dispute_notice.opened": "one event",
    "entitlement.grants": "those that end last are remembered",
    "freeze.scopes": "a scope each",
    "hold.lots": "those of the wallet",
    "proposal.fields": "one command has them",
    "purchase.labels": "sixteen",
    "sale.charges": "the purchases that paid the sale",
    "sale.clawed": "its payees",
    "sale.items": "two",
    "sale.returned": "its lots",
    "session.payments": "sixteen",
    "subscription.periods": "the last ones are remembered",
    "subscription.plans": "the last ones are remembered",
    "trail.paid": "each sale takes a token of the purchase",
    "wallet.frozen": "a scope each",
}

#: Bytes of a snapshot, at most, after any number of events.
BYTES_MAX = {
    "call": 32_000,
    "creator": 64_000,
    "dispute": 400_000,
    "dispute_notice": 400_000,
    "entitlement": 16_000,
    "hold": 64_000,
    "payment": 400_000,
    "policy": 64_000,
    "purchase": 64_000,
    "refund": 64_000,
    "sale": 64_000,
    "subscription": 16_000,
    "wallet": 64_000,
}


def lists_of(kind: type[State]) -> set[str]:
    """The fields of a state that hold any number of things."""
    found = set()
    for name, hint in get_type_hints(kind).items():
        if name not in kind.__struct_fields__:
            continue
        for one in (hint, *get_args(hint)):
            if get_origin(one) in (tuple, dict, list) or one in (tuple, dict, list):
                found.add(name)
    return found


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_list_of_every_state_has_a_limit(name: str) -> None:
    kind = KINDS[name]
    lists = lists_of(kind)
    otherwise = {key.partition(".")[2] for key in BOUNDED_OTHERWISE if key.startswith(f"{name}.")}
    assert lists - set(kind.LISTS) <= otherwise
    for what in kind.LISTS:
        assert hasattr(kind(), what)


def test_every_state_with_limits_is_measured() -> None:
    assert {name for name, kind in KINDS.items() if kind.LISTS} <= BYTES_MAX.keys()


class Book(InMemoryBook):
    """A book that goes on whatever is refused, and counts why."""

    def __init__(self, policy: dict[str, Any]) -> None:
        super().__init__(policy)
        self.refused: dict[str, int] = {}

    def tried(self, name: str, actor: str = "backend", **fields: Any) -> Decision:
        decision = self.decide(name, actor, **fields)
        if isinstance(decision, Rejection | Suspended):
            why = code(decision)
            self.refused[why] = self.refused.get(why, 0) + 1
        events = decision.events if isinstance(decision, Suspended) else decision
        if isinstance(events, tuple):
            self.record(*events)
        return decision

    def size(self, key: str) -> int:
        """Bytes of a snapshot."""
        return len(msgspec.msgpack.encode(self.states[key]))


@cache
def grants_with_an_end_each() -> tuple[Book, str]:
    book = Book(MICRO_UNLOCK)
    for nth in range(EVENTS):
        end = stamp(book.now + timedelta(days=1, seconds=nth))
        book.tried("grant-promo", user="ann", tokens=1, reason_code="DAILY", expires_at=end)
    assert book.refused == {"LIMIT_REACHED": EVENTS - LOTS_MAX}
    return book, "wallet:ann"


def purchases() -> tuple[Book, str]:
    book = Book({**MICRO_UNLOCK, "packages": {"one": {"tokens": 1, "price": 2}}})
    for nth in range(EVENTS):
        paid = {"package": "one", "price": 2, "processor": "stripe", "processor_ref": f"p{nth}"}
        book.tried("record-purchase", user="ann", **paid)
    assert book.refused == {"LIMIT_REACHED": EVENTS - LOTS_MAX}
    return book, "wallet:ann"


def batches() -> tuple[Book, str]:
    book = Book(PREPAID_CREDITS)
    book.tried("grant-promo", user="acme", tokens=2 * EVENTS, reason_code="X")
    held = book.happens("hold-credits", user="acme", tokens=EVENTS)[0]
    hold = held.hold_id  # type: ignore[attr-defined]
    for nth in range(EVENTS):
        book.tried("settle-batch", hold=hold, batch_no=nth, used=1)
    assert book.refused == {"LIMIT_REACHED": EVENTS - BATCHES_MAX}
    return book, f"hold:{hold}"


def proposals() -> tuple[Book, str]:
    book = Book(MICRO_UNLOCK)
    for nth in range(EVENTS // 20):
        since = stamp(book.now + timedelta(days=1 + nth))
        book.tried("propose-policy", "alice", body=MICRO_UNLOCK, effective_from=since)
    assert set(book.refused) == {"LIMIT_REACHED"}
    return book, "policy:book"


@cache
def periods() -> tuple[Book, str]:
    book = Book(SUBSCRIPTION)
    book.happens("start-subscription", user="ann", creator="carl", subscription="s1", price=999)
    for nth in range(EVENTS):
        begin = book.now + timedelta(days=nth)
        book.tried("charge-period", **period(begin, f"c{nth}"))
    assert book.refused == {}
    return book, "subscription:s1"


def grants_of_access() -> tuple[Book, str]:
    book, _ = periods()
    entitlement = book.states["entitlement:ann:s1"]
    assert isinstance(entitlement, Entitlement)
    assert len(entitlement.grants) == GRANTS_MAX
    assert entitlement.longest == entitlement.grants[-1]
    return book, "entitlement:ann:s1"


def pauses() -> tuple[Book, str]:
    book = Book(LIVE_CALL)
    book.happens("verify-creator", creator="carl", verified=True)
    book.happens("grant-promo", user="ann", tokens=1_000, reason_code="X")
    book.happens("start-call", call="c1", user="ann", creator="carl", rate=60)
    for _ in range(EVENTS // 2):
        for turn in ("pause-call", "resume-call"):
            book.later(microseconds=1)
            book.tried(turn, call="c1")
    assert book.refused["LIMIT_REACHED"] == EVENTS // 2 - PAUSES_MAX
    book.happens("end-call", call="c1")
    return book, "call:c1"


def calls_of_a_creator() -> tuple[Book, str]:
    book = Book(LIVE_CALL)
    book.happens("verify-creator", creator="carl", verified=True)
    for nth in range(1_100):
        book.happens("grant-promo", user=f"u{nth}", tokens=60, reason_code="X")
        book.tried("start-call", call=f"c{nth:032}", user=f"u{nth}", creator="carl", rate=60)
    assert book.refused == {"LIMIT_REACHED": 100}
    return book, "creator:carl"


def earnings_that_mature_after_years() -> tuple[Book, str]:
    book = Book({**MICRO_UNLOCK, "maturity_days": 3_650})
    for nth in range(EVENTS):
        book.later(hours=1)
        card_tip(book, 1, f"tip{nth}")
    creator = book.states["creator:carl"]
    assert isinstance(creator, Creator)
    assert creator.pending > 0
    assert len(creator.maturing) <= EVENTS // 24 + 2
    return book, "creator:carl"


def card_tip(book: Book, amount: int, ref: str = "tip") -> str:
    paid = {"funding": "CARD", "processor": "stripe", "processor_ref": ref}
    sale = book.happens("send-tip", user="ann", creator="carl", amount=amount, **paid)[0]
    sale_id: str = sale.sale_id  # type: ignore[attr-defined]
    return sale_id


def refunds_asked_for() -> tuple[Book, str]:
    book = Book(MICRO_UNLOCK)
    sale = card_tip(book, EVENTS)
    for _ in range(EVENTS):
        book.tried("refund", sale=sale, amount=1, reason_code="X")
    assert set(book.refused) == {"LIMIT_REACHED"}
    return book, f"sale:{sale}"


def refunds_told_of() -> tuple[Book, str]:
    book = Book(MICRO_UNLOCK)
    sale = card_tip(book, EVENTS)
    for nth in range(EVENTS):
        told = {"amount": 1, "processor": "stripe", "processor_ref": f"r{nth}"}
        book.tried("record-refund", sale=sale, **told)
    limit = ROOM_FOR_NOTICES * KINDS["sale"].LISTS["recorded"]
    assert book.refused == {"LIMIT_REACHED": EVENTS - limit}
    return book, f"sale:{sale}"


def refunds_of_a_purchase() -> tuple[Book, str]:
    package = {"tokens": EVENTS, "price": 2 * EVENTS}
    book = Book({**MICRO_UNLOCK, "packages": {"p": package}})
    paid = {"package": "p", "price": 2 * EVENTS, "processor": "stripe", "processor_ref": "p1"}
    bought = book.happens("record-purchase", user="ann", **paid)[0]
    purchase = bought.purchase_id  # type: ignore[attr-defined]
    limit = ROOM_FOR_NOTICES * KINDS["purchase"].LISTS["recorded"]
    for nth in range(limit + 100):
        told = {"amount": 1, "processor": "stripe", "processor_ref": f"r{nth}"}
        book.tried("record-refund", purchase=purchase, **told)
    assert book.refused == {"LIMIT_REACHED": 100}
    return book, f"purchase:{purchase}"


def told_of_money_in_suspense() -> tuple[Book, str]:
    book = Book(MICRO_UNLOCK)
    paid = {"package": "none", "price": EVENTS, "processor": "stripe", "processor_ref": "p1"}
    book.tried("record-purchase", user="ann", **paid)
    for nth in range(1_100):
        told = {"amount": 1, "processor": "stripe", "processor_ref": f"r{nth}"}
        book.tried("record-refund", payment_ref="p1", **told)
    assert book.refused == {"UNKNOWN_PACKAGE": 1, "LIMIT_REACHED": 100}
    return book, "payment:p1"


def captures() -> tuple[Book, str]:
    book = Book(SESSION_BOOKING)
    session = {"session": "s", "user": "ann", "payee": "carl", "tier": "STANDARD"}
    paid = {"amount": EVENTS, "processor": "stripe", "processor_ref": "p1"}
    (authorized,) = book.happens("authorize", **session, **paid)
    payment = authorized.payment_id  # type: ignore[attr-defined]
    for _ in range(600):
        book.tried("capture", payment=payment, amount=1, final=False)
    assert set(book.refused) == {"LIMIT_REACHED"}
    return book, "payment:p1"


def refund_of_many_captures() -> tuple[Book, str]:
    book, _ = captures()
    told = {"amount": 501, "processor": "stripe", "processor_ref": "back"}
    book.happens("record-refund", payment_ref="p1", **told)
    return book, "refund:stripe:back"


def dispute_of_many_captures() -> tuple[Book, str]:
    book, _ = captures()
    told = {"amount": 501, "fee": 1_500, "processor": "stripe", "processor_ref": "case"}
    book.happens("open-dispute", payment_ref="p1", **told)
    return book, "dispute_notice:stripe:case"


COURSES: list[Callable[[], tuple[Book, str]]] = [
    batches,
    calls_of_a_creator,
    captures,
    dispute_of_many_captures,
    earnings_that_mature_after_years,
    grants_of_access,
    grants_with_an_end_each,
    pauses,
    periods,
    proposals,
    purchases,
    refund_of_many_captures,
    refunds_asked_for,
    refunds_of_a_purchase,
    refunds_told_of,
    told_of_money_in_suspense,
]


@pytest.mark.parametrize("course", COURSES, ids=lambda course: course.__name__)
def test_a_snapshot_stays_small(course: Callable[[], tuple[Book, str]]) -> None:
    book, key = course()
    assert book.size(key) <= BYTES_MAX[key[: key.index(":")]]


def test_one_end_makes_one_lot() -> None:
    """Twenty thousand one-token grants without an end are one lot more than the first few."""
    book = Book(MICRO_UNLOCK)
    for _ in range(2 * EVENTS):
        book.tried("grant-promo", user="ann", tokens=1, reason_code="WATCHED")
    wallet = book.states["wallet:ann"]
    assert isinstance(wallet, Wallet)
    assert book.refused == {}
    assert len(wallet.lots) == JOIN_FROM
    assert wallet.spendable(book.now) == 2 * EVENTS
    tip = {"user": "ann", "creator": "carl", "funding": "TOKEN", "amount": 2 * EVENTS}
    assert isinstance(book.tried("send-tip", **tip), tuple)
    assert book.states["wallet:ann"].lots == ()  # type: ignore[attr-defined]


def test_what_is_forgotten_of_periods_is_never_paid_twice() -> None:
    book, key = periods()
    subscription = book.states[key]
    assert isinstance(subscription, Subscription)
    assert len(subscription.periods) == PERIODS_MAX
    start = book.now
    for day in (0, 1, EVENTS - PERIODS_MAX - 1, EVENTS - PERIODS_MAX, EVENTS - 1):
        decision = book.decide("charge-period", **period(start + timedelta(days=day), f"x{day}"))
        assert code(decision) == "DUPLICATE_PERIOD", day
    assert code(book.decide("charge-period", **period(start + timedelta(days=EVENTS), "y"))) == ""


def test_a_purchase_that_finds_no_room_waits_in_suspense() -> None:
    book, _ = purchases()
    assert book.states["wallet:ann"].spendable(book.now) == LOTS_MAX  # type: ignore[attr-defined]
    release = {"payment_ref": "p200", "resolution": "APPLY"}
    assert code(book.decide("release-payment", "fred", **release)) == "INVALID_TRANSITION"
    tip = {"user": "ann", "creator": "carl", "funding": "TOKEN", "amount": LOTS_MAX}
    book.happens("send-tip", **tip)
    book.happens("release-payment", "fred", **release)
    assert book.states["wallet:ann"].spendable(book.now) == 1  # type: ignore[attr-defined]


def test_the_refusal_says_what_is_full() -> None:
    book, _ = grants_with_an_end_each()
    end = stamp(book.now + timedelta(days=9_000))
    decision = book.decide("grant-promo", user="ann", tokens=1, reason_code="DAILY", expires_at=end)
    assert isinstance(decision, Rejection)
    assert decision.reason is LIMIT_REACHED
    assert decision.detail == f"wallet ann would have more than {LOTS_MAX} lots"


def period(begin: datetime, ref: str) -> dict[str, Any]:
    """The fields of a period of a day."""
    times = {"period_start": stamp(begin), "period_end": stamp(begin + timedelta(days=1))}
    paid = {"price": 999, "processor": "stripe", "processor_ref": ref}
    return {"subscription": "s1", **times, **paid}


def stamp(at: datetime) -> str:
    """A time as commands take it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
