"""Every notice that waits is listed with its money, and can be worked off until none is left."""

import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from ledger.books import create_book
from ledger.postgres.database import Connection, Database
from ledger.write.dropped_notices import drop
from ledger.write.inbox import parked_count
from projections import queries
from projections.queries import NoticeFilter
from projections.rebuild import rebuild
from projections.verify import verify
from tests.conftest import FreshBook
from tests.projections.following import follow
from tests.scenarios.steps import Sent, card_tip, debit, policy, purchase
from tests.scenarios.steps_disputes import disputed, ended
from tests.scenarios.steps_money_back import (
    POLICY,
    gave_back,
    gave_back_by_now,
    payment_failed,
    refund_failed,
    released,
)
from tests.scenarios.write_path import WritePath
from tests.support.examples import examples

NEVER = datetime.max.replace(tzinfo=UTC)
WAITING = NoticeFilter(("PARKED", "SUSPENDED"))
_numbers = itertools.count(1)


@pytest.fixture
def opened(stage: WritePath) -> WritePath:
    """A book in which tips by card are sold, and no tokens."""
    stage.given(policy({**POLICY, "products_enabled": ["tip"]}))
    return stage


@pytest.fixture
def reader(stage: WritePath) -> Iterator[Connection]:
    """A reader's connection."""
    with stage.fresh.connect(autocommit=True) as connection:
        yield connection


def listed(stage: WritePath, wanted: NoticeFilter = WAITING, **more: Any) -> list[dict[str, Any]]:
    """What the list shows once the read model is at the head."""
    follow(stage.fresh)
    page = {"until": NEVER, "limit": 1_000, **more}
    with stage.fresh.connect(autocommit=True) as connection:
        items, position = queries.notices(connection, wanted, **page)
    assert position == len(stage.rows())
    return items


def shown(items: list[dict[str, Any]]) -> list[tuple[str, str, str | None, int | None, int]]:
    """The essence of a list."""
    return [
        (item["id"], item["status"], item["code"], item["amount"], item["in_suspense"])
        for item in items
    ]


def suspense(stage: WritePath) -> Counter[str]:
    """What stands in suspense by currency, a credit positive, summed from postings."""
    sums: Counter[str] = Counter()
    for (account, asset), amount in stage.balances().items():
        if account == "suspense":
            sums[asset] -= amount
    return sums


def in_suspense(items: list[dict[str, Any]]) -> Counter[str]:
    """The same as the list has it."""
    sums: Counter[str] = Counter()
    for item in items:
        sums[item["currency"] or "USD"] += item["in_suspense"]
    return sums


def test_each_way_of_being_kept_is_listed_newest_first(opened: WritePath) -> None:
    opened.when(
        gave_back(100, "r:1", payment_ref="later"),
        purchase("large", 999, ref="p:1"),
        card_tip(500, processor_ref="p:2"),
        gave_back_by_now(200, "r:2", payment_ref="p:2"),
        gave_back_by_now(200, "r:3", payment_ref="p:2"),
    )
    assert [outcome.status for outcome in opened.outcomes] == [202, 202, 201, 201, 202]
    everything = listed(opened, NoticeFilter())
    assert shown(everything) == [
        ("stripe:record-refund:r:3", "IGNORED", "STALE_FIGURE", 200, 0),
        ("stripe:record-purchase:p:1", "SUSPENDED", "UNKNOWN_PACKAGE", 999, 999),
        ("stripe:record-refund:r:1", "PARKED", "AWAITING_REFERENT", 100, 0),
    ]
    ignored, suspended, parked = everything
    assert (parked["awaits"], parked["owner"]) == ("payment:later", "service")
    assert parked["resolved_by"] == []
    assert (suspended["owner"], suspended["sender"]) == ("finance", "backend")
    assert suspended["resolved_by"] == [
        {"command": "release-payment", "fields": {"payment_ref": "p:1", "resolution": how}}
        for how in ("APPLY", "RETURN")
    ]
    assert suspended["fields"]["package"] == "large"
    assert (ignored["owner"], ignored["awaits"]) == (None, None)
    assert shown(listed(opened)) == shown(everything[1:])


def test_what_arrives_at_last_and_what_is_returned_has_been_dealt_with(opened: WritePath) -> None:
    opened.when(gave_back(100, "r:1", payment_ref="p:2"), purchase("large", 999, ref="p:1"))
    opened.given(card_tip(500, processor_ref="p:2"), released("RETURN", "p:1"))
    assert listed(opened) == []
    bought, refund = listed(opened, NoticeFilter(("APPLIED",)))
    assert (bought["id"], bought["resolution"]) == ("stripe:record-purchase:p:1", "RETURN")
    assert bought["settled_at"] is not None and bought["resolved_by"] == []
    assert (refund["id"], refund["code"]) == ("stripe:record-refund:r:1", None)
    assert refund["position"] == len(opened.rows()) - 1


def dropped(stage: WritePath, notice: str) -> str | None:
    """Somebody gives a notice up; what it awaited."""
    processor, command, ref = notice.split(":", 2)
    with stage.fresh.connect(autocommit=True) as connection:
        return drop(connection, processor, command, ref)


def test_a_notice_whose_referent_never_comes_is_given_up(opened: WritePath) -> None:
    """A refund that an earlier release ignored left nothing that its failure could find."""
    failed = refund_failed("old").but(processor_ref="f:1")
    opened.when(failed, gave_back(100, "r:1", payment_ref="never"))
    before = opened.rows()
    assert dropped(opened, "stripe:fail-refund:f:1") == "refund:stripe:old"
    assert dropped(opened, "stripe:fail-refund:f:1") is None
    assert dropped(opened, "stripe:record-refund:f:1") is None
    assert shown(listed(opened)) == [
        ("stripe:record-refund:r:1", "PARKED", "AWAITING_REFERENT", 100, 0)
    ]
    (gone,) = listed(opened, NoticeFilter(("IGNORED",)))
    assert (gone["id"], gone["code"]) == ("stripe:fail-refund:f:1", "DROPPED")
    assert gone["settled_at"] is not None
    assert listed(opened, NoticeFilter(code="DROPPED")) == [gone]
    assert listed(opened, NoticeFilter(code="STALE_FIGURE")) == []
    with opened.fresh.connect(autocommit=True) as connection:
        assert parked_count(connection).notices == 1
    assert opened.rows() == before
    assert verify(opened.fresh.service_url, opened.book).sound


def test_what_comes_after_all_leaves_a_dropped_notice_alone(opened: WritePath) -> None:
    opened.when(gave_back(100, "r:1", payment_ref="p:2"), gave_back(30, "r:2", payment_ref="p:2"))
    assert dropped(opened, "stripe:record-refund:r:1") == "payment:p:2"
    opened.given(card_tip(500, processor_ref="p:2"))
    assert listed(opened) == []
    (applied,) = listed(opened, NoticeFilter(("APPLIED",)))
    assert applied["id"] == "stripe:record-refund:r:2"
    opened.then(debit("psp.stripe", 470))
    opened.when(gave_back(100, "r:1", payment_ref="p:2"))
    assert (opened.outcomes[-1].status, opened.outcomes[-1].json["outcome"]) == (202, "parked")
    assert verify(opened.fresh.service_url, opened.book).sound


def test_a_refund_beyond_its_sale_leaves_the_list_when_it_fails(opened: WritePath) -> None:
    opened.when(card_tip(500, processor_ref="p:2"), gave_back(700, "r:1", payment_ref="p:2"))
    (beyond,) = listed(opened)
    assert shown([beyond]) == [
        ("stripe:record-refund:r:1", "SUSPENDED", "INVALID_TRANSITION", -200, -200)
    ]
    opened.given(refund_failed("r:1"))
    assert listed(opened) == []
    (gone,) = listed(opened, NoticeFilter(("APPLIED",)))
    assert (gone["resolution"], gone["in_suspense"]) == ("REFUND_FAILED", 0)
    assert suspense(opened)["USD"] == 0


def test_what_processors_take_of_it_is_taken_off(opened: WritePath, reader: Connection) -> None:
    opened.when(purchase("large", 999, ref="p:1"))
    opened.given(gave_back(300, "r:1", payment_ref="p:1"), disputed(100, "d:1", payment_ref="p:1"))
    (item,) = listed(opened)
    assert (item["amount"], item["in_suspense"]) == (999, 599)
    one = queries.notice(reader, "stripe", "record-purchase", "p:1")
    assert [each["type"] for each in one["history"]] == [
        "payment.suspended.v1", "suspense.drawn.v1", "suspense.drawn.v1",
    ]  # fmt: skip
    assert {key: one[key] for key in item} == item
    opened.given(released("RETURN", "p:1"))
    follow(opened.fresh)
    last = queries.notice(reader, "stripe", "record-purchase", "p:1")["history"][-1]
    assert (last["type"], last["status"], last["principal"]) == (
        "payment.released.v1", "APPLIED", "fay",
    )  # fmt: skip


def test_money_of_another_currency_can_only_go_back(opened: WritePath) -> None:
    opened.when(card_tip(500, processor_ref="p:1", currency="EUR"))
    (item,) = listed(opened)
    assert (item["currency"], item["in_suspense"]) == ("EUR", 500)
    (only,) = item["resolved_by"]
    assert only["fields"]["resolution"] == "RETURN"


def test_what_was_returned_and_comes_back_waits_again(opened: WritePath) -> None:
    opened.when(purchase("large", 999, ref="p:1"), released("RETURN", "p:1"))
    opened.given(gave_back(999, "r:1", payment_ref="p:1"))
    assert listed(opened) == []
    opened.given(refund_failed("r:1"))
    (item,) = listed(opened)
    assert (item["id"], item["in_suspense"]) == ("stripe:record-purchase:p:1", 999)
    assert item["settled_at"] is None and item["resolution"] is None


@pytest.mark.parametrize("newest_first", [True, False])
def test_pages_are_the_list(opened: WritePath, *, newest_first: bool) -> None:
    opened.when([gave_back(1, f"r:{n}", payment_ref=f"x{n}") for n in range(4)])
    opened.when([purchase("large", 999, ref=f"p:{n}") for n in range(4)])
    whole = listed(opened, newest_first=newest_first)
    assert len(whole) == 8
    paged: list[dict[str, Any]] = []
    while page := listed(
        opened,
        newest_first=newest_first,
        limit=3,
        after=queries.place_of(paged[-1]) if paged else None,
    ):
        paged += page
    assert paged == whole


def test_filters(opened: WritePath) -> None:
    opened.when(
        gave_back(1, "r:1", payment_ref="x").but(processor="adyen"),
        gave_back(1, "r:2", payment_ref="x"),
        purchase("large", 999, ref="p:1"),
        card_tip(500, processor_ref="p:1").but(processor="adyen"),
    )

    def ids(**wanted: Any) -> list[str]:
        return [item["id"] for item in listed(opened, NoticeFilter(**wanted))]

    tip, bought, second, first = ids()
    assert ids(processor="adyen") == [tip, first]
    assert ids(command="record-refund") == [second, first]
    assert ids(code="DUPLICATE_PAYMENT") == [tip]
    assert ids(code="AWAITING_REFERENT") == [second, first]
    assert ids(code="STALE_FIGURE") == []
    assert ids(statuses=("SUSPENDED",), processor="stripe") == [bought]
    age = {"until": datetime.now(UTC) - timedelta(hours=72)}
    assert listed(opened, **age) == []


def test_how_many_are_suspended_and_since_when(opened: WritePath, reader: Connection) -> None:
    assert queries.suspended_count(reader) == (0, 0.0)
    opened.when(gave_back(1, "r:1", payment_ref="x"), purchase("large", 999, ref="p:1"))
    follow(opened.fresh)
    waiting = queries.suspended_count(reader)
    assert waiting.notices == 1 and 0 <= waiting.oldest_s < 600
    with opened.fresh.connect_admin(autocommit=True) as admin:
        admin.execute("UPDATE notices SET received_at = received_at - interval '80 hours'")
    assert queries.suspended_count(reader).oldest_s > 79 * 3_600
    opened.given(released("RETURN", "p:1"))
    follow(opened.fresh)
    assert queries.suspended_count(reader) == (0, 0.0)


# What processors tell of three payments, in any order, and what somebody decides meanwhile.
_payments = st.sampled_from(["p:1", "p:2", "p:3"])
_amounts = st.sampled_from([1, 300, 500, 700])
_few = st.integers(1, 3)
_said = st.one_of(
    st.builds(lambda ref: card_tip(500, processor_ref=ref), _payments),
    st.builds(
        lambda ref, stream: card_tip(700, processor_ref=ref, labels={"stream": stream}),
        _payments,
        st.sampled_from(["s1", "s2"]),
    ),
    st.builds(lambda ref: card_tip(500, processor_ref=ref, currency="EUR"), _payments),
    st.builds(lambda ref: card_tip(500, processor_ref=ref).but(processor="adyen"), _payments),
    st.builds(lambda ref: purchase("large", 999, ref=ref), _payments),
    st.builds(lambda n, ref, a: gave_back(a, f"r:{n}", payment_ref=ref), _few, _payments, _amounts),
    st.builds(
        lambda n, ref, a: gave_back_by_now(a, f"c:{n}", payment_ref=ref), _few, _payments, _amounts
    ),
    st.builds(
        lambda n, ref: gave_back(200, f"e:{n}", payment_ref=ref).but(currency="EUR"),
        _few,
        _payments,
    ),
    st.builds(lambda n: refund_failed(f"r:{n}", processor_ref=f"rf:{n}"), _few),
    st.builds(lambda n: refund_failed(f"c:{n}", processor_ref=f"cf:{n}"), _few),
    st.builds(lambda ref: payment_failed(payment_ref=ref).but(processor_ref=f"f:{ref}"), _payments),
    st.builds(lambda n, ref, a: disputed(a, f"d:{n}", payment_ref=ref), _few, _payments, _amounts),
    st.builds(
        lambda n, how: ended(f"d:{n}", how, f"d:{n}:{how}"), _few, st.sampled_from(["WON", "LOST"])
    ),
    st.builds(released, st.sampled_from(["APPLY", "RETURN"]), _payments),
)


@examples(12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lives=st.lists(st.lists(_said, min_size=1, max_size=10), min_size=1, max_size=3))
def test_6_3_whatever_waits_is_listed_and_can_be_worked_off(
    database: Database, lives: list[list[Sent]]
) -> None:
    with closing(WritePath(_another_book(database))) as stage:
        stage.given(policy({**POLICY, "products_enabled": ["tip"], "price_bounds": {}}))
        for life in lives:
            stage.when(life)
            _check(stage)
        for found in rebuild(database, stage.book):
            assert found.compared and found.differences == ()
        assert verify(stage.fresh.service_url, stage.book).sound
        _work_off(stage)


def _check(stage: WritePath) -> None:
    """What waits by the ledger's own account is what is listed, with the money of suspense."""
    items = listed(stage)
    assert in_suspense(items) == suspense(stage)  # of counters, what is zero need not be there
    with stage.fresh.connect(autocommit=True) as connection:
        parked = connection.execute("SELECT count(*) FROM inbox WHERE state = 'parked'").fetchone()
    assert parked == (sum(item["status"] == "PARKED" for item in items),)


def _work_off(stage: WritePath) -> None:
    """Somebody sends back whatever waits, and what is awaited comes, until nothing is left."""
    for _ in range(40):
        waiting = [item for item in listed(stage) if item["status"] == "SUSPENDED"]
        if not waiting:
            break
        for ref in dict.fromkeys(item["payment_ref"] for item in waiting):
            stage.given(released("RETURN", ref))
        _check(stage)
    assert not any(suspense(stage).values())
    parked = listed(stage)
    assert {item["status"] for item in parked} <= {"PARKED"}
    for item in parked:
        kind, _, name = item["awaits"].partition(":")
        if kind == "payment":
            sent = card_tip(5_000, processor_ref=name).but(processor=item["processor"])
            stage.when(sent)
            assert item["id"] not in {
                each["id"] for each in listed(stage, NoticeFilter(("PARKED",)))
            }


def _another_book(database: Database) -> FreshBook:
    name = f"Notices-{next(_numbers)}"
    book = create_book(database.admin_url, name, currency="USD", time_zone="UTC")
    return FreshBook(book, database.service_url, database.admin_url)
