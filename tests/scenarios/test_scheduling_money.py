"""What time does to money and tokens is posted without anybody asking, once."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from ledger.books import Book, create_book
from ledger.postgres.database import Database
from ledger.scheduling.agenda import Agenda
from ledger.scheduling.scheduler import Scheduler
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import (
    Sent,
    card_tip,
    creator_has,
    credit,
    deferred,
    events,
    grant,
    policy,
    purchase,
    rejected,
    tip,
    wallet,
)
from tests.scenarios.steps_finance import paid_out, ready
from tests.scenarios.steps_products import hold, named, release
from tests.scenarios.write_path import WritePath


def turned(stage: WritePath) -> int:
    """One turn of a scheduler that was not there before."""
    fresh = stage.fresh
    database = Database(fresh.service_url, fresh.admin_url)
    one = Scheduler(database, lambda _: stage.writer, books=[stage.book.name])
    try:
        return one.turn()
    finally:
        one.close()


def in_minutes(minutes: int) -> str:
    """A time to come."""
    return f"{datetime.now(UTC) + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


def test_promotional_tokens_expire(stage: WritePath) -> None:
    stage.given(policy(MICRO_UNLOCK), grant(10, expires_at=in_minutes(5)), grant(5))
    assert turned(stage) == 0
    stage.later(minutes=6)
    stage.when(tip(6)).then(rejected("INSUFFICIENT_TOKENS", current=5))
    assert turned(stage) == 1
    stage.then(wallet(5), events("promo_tokens.expired.v1", 1))
    assert turned(stage) == 0


def test_a_backlog_is_worked_off_slice_by_slice_and_whole(
    stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.scheduling.scheduler.SLICE_COMMANDS", 1)
    monkeypatch.setattr("ledger.scheduling.scheduler.COMMANDS_BEGIN", 1)
    fans = [f"fan{number}" for number in range(5)]
    stage.given(policy(MICRO_UNLOCK))
    stage.given([grant(10, fan, expires_at=in_minutes(5)) for fan in fans])
    stage.later(minutes=6)
    assert turned(stage) == len(fans)
    stage.then(events("promo_tokens.expired.v1", len(fans)))


def test_a_books_backlog_keeps_no_other_book_waiting(
    stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = stage.fresh
    other = create_book(
        fresh.admin_url, "z-after", currency="USD", time_zone="UTC", partition_rows=1_000
    )
    slices, order = {stage.book.name: 3, other.name: 1}, list[str]()

    def served(_: Scheduler, book: Book) -> int | None:
        order.append(book.name)
        slices[book.name] -= 1
        return None if slices[book.name] < 0 else 7

    monkeypatch.setattr(Scheduler, "_serve", served)
    database = Database(fresh.service_url, fresh.admin_url)
    with closing(Scheduler(database, lambda _: stage.writer, books=list(slices))) as one:
        assert one.turn() == 28
    assert order[:2] == [stage.book.name, other.name]


def test_what_is_put_on_the_agenda_again_meanwhile_stays_there(stage: WritePath) -> None:
    stage.given(policy(MICRO_UNLOCK), grant(10, expires_at=in_minutes(5)), tip(10))
    stage.later(minutes=6)
    with (
        stage.fresh.connect(autocommit=True) as one,
        stage.fresh.connect(autocommit=True) as other,
    ):
        agenda = Agenda(stage.book, one)
        agenda.read_on()
        taken = agenda.take(10)
        answers = stage.writer.write([each.request for each in taken])
        put_again = "UPDATE agenda SET due_at = due_at - interval '1 hour'"
        other.execute(put_again)  # as by a second scheduler, for tokens that came back
        agenda.settle(taken, answers)
        again = agenda.take(10)
        assert [each.item for each in again] == [each.item for each in taken]
        agenda.settle(again, answers)
        other.execute(put_again)
        assert not agenda.anything()
    assert turned(stage) == 0


def test_what_was_spent_before_needs_no_posting(stage: WritePath) -> None:
    stage.given(policy(MICRO_UNLOCK), grant(10, expires_at=in_minutes(5)), tip(10))
    stage.later(minutes=6)
    assert turned(stage) == 1
    stage.later(hours=1)
    assert turned(stage) == 0
    stage.then(events("promo_tokens.expired.v1", 0))


def test_what_a_hold_sets_free_after_its_end_is_over_at_once(stage: WritePath) -> None:
    stage.given(policy({**MICRO_UNLOCK, "products_enabled": ["hold"]}))
    stage.given(grant(10, expires_at=in_minutes(5)), grant(7, expires_at=in_minutes(60)))
    stage.given(hold(8))
    kept = named(stage, "hold_id")
    stage.given(hold(5, expires_at=in_minutes(10)))
    stage.later(minutes=6)
    assert turned(stage) == 1
    stage.then(wallet(4), events("promo_tokens.expired.v1", 0))
    stage.later(minutes=5)
    assert turned(stage) == 1  # the hold's time is over, and with it that of 2 of its tokens
    stage.then(wallet(7), events("promo_tokens.expired.v1", 1))
    stage.given(release(kept)).then(wallet(7), events("promo_tokens.expired.v1", 2))
    assert turned(stage) <= 1  # the hold that is over is asked for once more
    stage.later(hours=1)
    turned(stage)
    stage.then(wallet(0), events("promo_tokens.expired.v1", 3))
    assert turned(stage) == 0


def test_paid_tokens_lapse(stage: WritePath) -> None:
    stage.given(policy({**MICRO_UNLOCK, "breakage_months": 12}))
    stage.given(purchase("small", price=999).but(occurred_at="2020-05-05T00:00:00Z"))
    stage.then(credit(deferred, 999))
    assert turned(stage) == 1
    stage.then(wallet(100), credit(deferred, 0), credit("rev.breakage", 999))
    assert turned(stage) == 0


def test_earnings_mature_once_an_hour_however_many_sales_there_are(stage: WritePath) -> None:
    stage.given(policy({**MICRO_UNLOCK, "maturity_days": 2}))
    stage.given([card_tip(1_000) for _ in range(5)])
    stage.then(creator_has(4_000, bucket="pending"))
    assert turned(stage) == 0
    stage.later(days=2, hours=1)
    assert turned(stage) in (1, 2)  # the hour may have turned between the tips
    stage.then(creator_has(4_000), creator_has(0, bucket="pending"))
    stage.given(card_tip(1_000)).later(days=2, hours=1)
    assert turned(stage) == 1
    stage.then(creator_has(4_800))


def test_a_run_of_the_payout_schedule(stage: WritePath) -> None:
    stage.given(policy({**MICRO_UNLOCK, "payout_schedule": "DAILY"}), ready())
    turned(stage)
    stage.given(card_tip(10_000)).later(days=1, hours=1)
    assert turned(stage) == 1
    stage.then(creator_has(8_000, bucket="payout"), events("payout.requested.v1", 1))
    assert turned(stage) == 0
    stage.later(days=1)
    assert turned(stage) == 1  # the payout is still on its way
    stage.then(events("payout.requested.v1", 1))
    paid_out(stage)
    stage.given(card_tip(10_000)).later(days=1)
    turned(stage)
    stage.then(events("payout.requested.v1", 2))


def test_who_can_no_longer_be_paid_leaves_the_schedule(stage: WritePath) -> None:
    stage.given(policy({**MICRO_UNLOCK, "payout_schedule": "DAILY"}), ready())
    closed = {"creator": "creator", "payouts_enabled": False}
    stage.given(Sent("set-payout-account", closed, "finance", "fay"))
    stage.later(days=2)
    assert turned(stage) == 0
