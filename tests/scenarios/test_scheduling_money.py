"""What time does to money and tokens is posted without anybody asking, once."""

from datetime import UTC, datetime, timedelta

from ledger.postgres.database import Database
from ledger.scheduling.agenda import Agenda
from ledger.scheduling.scheduler import Scheduler
from tests.scenarios.platform import Platform
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


def turned(platform: Platform) -> int:
    """One turn of a scheduler that was not there before."""
    fresh = platform.fresh
    database = Database(fresh.service_url, fresh.admin_url)
    one = Scheduler(database, lambda _: platform.writer, books=[platform.book.name])
    try:
        return one.turn()
    finally:
        one.close()


def in_minutes(minutes: int) -> str:
    """A time to come."""
    return f"{datetime.now(UTC) + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


def test_promotional_tokens_expire(platform: Platform) -> None:
    platform.given(policy(MICRO_UNLOCK), grant(10, expires_at=in_minutes(5)), grant(5))
    assert turned(platform) == 0
    platform.later(minutes=6)
    platform.when(tip(6)).then(rejected("INSUFFICIENT_TOKENS", current=5))
    assert turned(platform) == 1
    platform.then(wallet(5), events("promo_tokens.expired.v1", 1))
    assert turned(platform) == 0


def test_what_is_put_on_the_agenda_again_meanwhile_stays_there(platform: Platform) -> None:
    platform.given(policy(MICRO_UNLOCK), grant(10, expires_at=in_minutes(5)), tip(10))
    platform.later(minutes=6)
    with (
        platform.fresh.connect(autocommit=True) as one,
        platform.fresh.connect(autocommit=True) as other,
    ):
        agenda = Agenda(platform.book, one)
        agenda.read_on()
        taken = agenda.take(10)
        answers = platform.writer.write([each.request for each in taken])
        put_again = "UPDATE agenda SET due_at = due_at - interval '1 hour'"
        other.execute(put_again)  # as by a second scheduler, for tokens that came back
        agenda.settle(taken, answers)
        again = agenda.take(10)
        assert [each.item for each in again] == [each.item for each in taken]
        agenda.settle(again, answers)
        other.execute(put_again)
        assert not agenda.anything()
    assert turned(platform) == 0


def test_what_was_spent_before_needs_no_posting(platform: Platform) -> None:
    platform.given(policy(MICRO_UNLOCK), grant(10, expires_at=in_minutes(5)), tip(10))
    platform.later(minutes=6)
    assert turned(platform) == 1
    platform.later(hours=1)
    assert turned(platform) == 0
    platform.then(events("promo_tokens.expired.v1", 0))


def test_what_a_hold_sets_free_after_its_end_is_over_at_once(platform: Platform) -> None:
    platform.given(policy({**MICRO_UNLOCK, "products_enabled": ["hold"]}))
    platform.given(grant(10, expires_at=in_minutes(5)), grant(7, expires_at=in_minutes(60)))
    platform.given(hold(8))
    kept = named(platform, "hold_id")
    platform.given(hold(5, expires_at=in_minutes(10)))
    platform.later(minutes=6)
    assert turned(platform) == 1
    platform.then(wallet(4), events("promo_tokens.expired.v1", 0))
    platform.later(minutes=5)
    assert turned(platform) == 1  # the hold's time is over, and with it that of 2 of its tokens
    platform.then(wallet(7), events("promo_tokens.expired.v1", 1))
    platform.given(release(kept)).then(wallet(7), events("promo_tokens.expired.v1", 2))
    assert turned(platform) <= 1  # the hold that is over is asked for once more
    platform.later(hours=1)
    turned(platform)
    platform.then(wallet(0), events("promo_tokens.expired.v1", 3))
    assert turned(platform) == 0


def test_paid_tokens_lapse(platform: Platform) -> None:
    platform.given(policy({**MICRO_UNLOCK, "breakage_months": 12}))
    platform.given(purchase("small", price=999).but(occurred_at="2020-05-05T00:00:00Z"))
    platform.then(credit(deferred, 999))
    assert turned(platform) == 1
    platform.then(wallet(100), credit(deferred, 0), credit("rev.breakage", 999))
    assert turned(platform) == 0


def test_earnings_mature_once_an_hour_however_many_sales_there_are(platform: Platform) -> None:
    platform.given(policy({**MICRO_UNLOCK, "maturity_days": 2}))
    platform.given([card_tip(1_000) for _ in range(5)])
    platform.then(creator_has(4_000, bucket="pending"))
    assert turned(platform) == 0
    platform.later(days=2, hours=1)
    assert turned(platform) in (1, 2)  # the hour may have turned between the tips
    platform.then(creator_has(4_000), creator_has(0, bucket="pending"))
    platform.given(card_tip(1_000)).later(days=2, hours=1)
    assert turned(platform) == 1
    platform.then(creator_has(4_800))


def test_a_run_of_the_payout_schedule(platform: Platform) -> None:
    platform.given(policy({**MICRO_UNLOCK, "payout_schedule": "DAILY"}), ready())
    turned(platform)
    platform.given(card_tip(10_000)).later(days=1, hours=1)
    assert turned(platform) == 1
    platform.then(creator_has(8_000, bucket="payout"), events("payout.requested.v1", 1))
    assert turned(platform) == 0
    platform.later(days=1)
    assert turned(platform) == 1  # the payout is still on its way
    platform.then(events("payout.requested.v1", 1))
    paid_out(platform)
    platform.given(card_tip(10_000)).later(days=1)
    turned(platform)
    platform.then(events("payout.requested.v1", 2))


def test_who_can_no_longer_be_paid_leaves_the_schedule(platform: Platform) -> None:
    platform.given(policy({**MICRO_UNLOCK, "payout_schedule": "DAILY"}), ready())
    closed = {"creator": "creator", "payouts_enabled": False}
    platform.given(Sent("set-payout-account", closed, "finance", "fay"))
    platform.later(days=2)
    assert turned(platform) == 0
