"""Refunds and disputes on platforms A, B and C: who gives back what, and in which order."""

import itertools
from collections.abc import Iterator

import pytest

from tests.projections.following import follow
from tests.scenarios.platform import Platform
from tests.scenarios.policies import LIVE_CALL, MICRO_UNLOCK
from tests.scenarios.steps import (
    CREATOR,
    FAN,
    Sent,
    accepted,
    card_unlock,
    commission,
    creator_has,
    credit,
    debit,
    deferred,
    events,
    margin,
    policy,
    purchase,
    rejected,
    suspended,
    suspense,
    tip,
    unlock,
    wallet,
)
from tests.scenarios.steps_disputes import FEE, asks_back, disputed, lost, won
from tests.scenarios.steps_finance import refunded
from tests.support.service import Client, Service

bad_debt, dispute_cost, in_dispute, owed = "exp.baddebt", "exp.dispute", "disputed", "fan_debt.fan"


def sold(platform: Platform, sent: Sent) -> str:
    """The id of a sale that is made."""
    platform.when(sent).then(accepted())
    sale_id: str = platform.outcomes[0].event["sale_id"]
    return sale_id


def bought(platform: Platform, sent: Sent) -> str:
    """The id of a purchase that is made."""
    platform.when(sent).then(accepted())
    purchase_id: str = platform.outcomes[0].event["purchase_id"]
    return purchase_id


def test_a4_refunds_take_back_what_was_shared_and_never_more(platform: Platform) -> None:
    platform.given(policy(MICRO_UNLOCK))
    sale = sold(platform, card_unlock(399))
    platform.then(creator_has(319), credit(commission, 80))

    platform.given(asks_back(sale, 200), refunded(sale, 200))
    platform.then(creator_has(319 - 160), credit(commission, 80 - 40))
    platform.given(asks_back(sale, 199), refunded(sale, 399))
    platform.then(creator_has(319 - 160 - 159), credit(commission, 0), debit("psp.stripe", 0))
    platform.when(asks_back(sale, 1))
    platform.then(rejected("REFUND_EXCEEDS_REMAINING", status=422, remaining=0))


def test_a7_a_dispute_after_a_partial_refund(platform: Platform) -> None:
    platform.given(policy(MICRO_UNLOCK))
    sale = sold(platform, card_unlock(399))
    platform.given(refunded(sale, 200))

    platform.given(disputed(399, sale=sale))
    platform.then(creator_has(0), creator_has(159, bucket="reserved"))
    platform.then(debit(in_dispute, 399), debit(dispute_cost, FEE))
    platform.when(asks_back(sale, 1)).then(rejected("DISPUTE_OPEN", status=409))

    platform.given(lost())
    platform.then(creator_has(0), creator_has(0, bucket="reserved"))
    platform.then(debit(in_dispute, 0), debit(bad_debt, 200), credit(commission, 0))
    before = platform.balances()
    platform.when(lost(), disputed(399, sale=sale)).then(events("dispute.lost.v1", 1))
    assert platform.balances() == before


def test_a7_notices_of_one_payment_in_any_order(platform: Platform) -> None:
    platform.given(policy(MICRO_UNLOCK))
    ends = set()
    before = platform.balances()
    notices = ("payment", "refund", "dispute", "lost")
    for nth, order in enumerate(itertools.permutations(notices)):
        paid = {"processor_ref": f"payment-{nth}", "creator": f"creator-{nth}"}
        sent = {
            "payment": card_unlock(399, **paid),
            "refund": refunded(f"payment-{nth}", 200),
            "dispute": disputed(399, ref=f"dispute-{nth}", payment_ref=f"payment-{nth}"),
            "lost": lost(f"dispute-{nth}"),
        }
        platform.when(*(sent[name] for name in order))
        assert {outcome.status for outcome in platform.outcomes} <= {201, 202}
        after = platform.balances()
        moved = {account: amount - before[account] for account, amount in after.items()}
        ends.add(
            tuple(
                sorted(
                    (account.replace(f"-{nth}.", "."), amount)
                    for (account, _), amount in moved.items()
                    if amount
                )
            )
        )
        before = after
    assert ends == {
        ((bad_debt, 200), (dispute_cost, FEE), ("psp.stripe", 399 - 200 - 399 - FEE)),
    }
    platform.check()


def test_a_dispute_that_is_won_after_it_was_lost(platform: Platform) -> None:
    platform.given(policy(MICRO_UNLOCK))
    sale = sold(platform, card_unlock(399))
    platform.given(disputed(399, sale=sale), lost(), won())
    platform.then(creator_has(319), credit(commission, 80), debit("psp.stripe", 399 - FEE))
    platform.when(lost()).then(suspended("INVALID_TRANSITION"), creator_has(319))


def spent_sixty_of_a_hundred(platform: Platform, bearer: str) -> str:
    """A hundred tokens are bought for 999, sixty of them tipped."""
    platform.given(policy({**LIVE_CALL, "dispute_bearer": bearer}))
    number = bought(platform, purchase("hundred", price=999))
    platform.given(tip(60)).then(creator_has(300), credit(margin, 299))
    return number


def test_b7_the_platform_bears_a_lost_purchase(platform: Platform) -> None:
    number = spent_sixty_of_a_hundred(platform, "PLATFORM")
    platform.given(disputed(999, fee=0, purchase=number))
    platform.then(wallet(0), credit(f"w.{FAN}.held", 0), credit(deferred, 400))
    platform.given(lost())
    platform.then(wallet(0), credit(deferred, 0), debit(owed, 599), creator_has(300))
    platform.then(credit(margin, 299), debit(in_dispute, 0))
    platform.when(tip(1)).then(rejected("ACCOUNT_FROZEN", status=409, scope="SPEND"))


def test_b7_creators_bear_a_lost_purchase(platform: Platform) -> None:
    number = spent_sixty_of_a_hundred(platform, "CREATOR_PROPORTIONAL")
    platform.restart()
    platform.given(disputed(999, fee=0, purchase=number), lost())
    platform.then(wallet(0), credit(deferred, 0), debit(owed, 0), creator_has(0))
    platform.then(credit(margin, 0), debit(in_dispute, 0))
    platform.given(won())
    platform.then(wallet(40), credit(deferred, 400), creator_has(300), credit(margin, 299))


def test_b7_everything_in_one_batch(platform: Platform) -> None:
    """The dispute traces sales that the same transaction has only just decided."""
    platform.given(policy({**LIVE_CALL, "dispute_bearer": "CREATOR_PROPORTIONAL"}))
    sent = [
        purchase("hundred", price=999, ref="payment"),
        tip(25),
        tip(35),
        disputed(500, fee=0, payment_ref="payment", final=True),
        disputed(499, fee=0, ref="rest", payment_ref="payment", final=True),
    ]
    answers = platform.writer.write([platform.request(each) for each in sent])
    assert [answer.status for answer in answers] == [201] * len(sent)
    platform.then(wallet(0), credit(deferred, 0), creator_has(0), credit(margin, 0), debit(owed, 0))


@pytest.mark.parametrize("atomic", [True, False])
def test_a_trail_grows_with_what_its_own_batch_decides(platform: Platform, atomic: bool) -> None:
    platform.given(policy({**LIVE_CALL, "dispute_bearer": "CREATOR_PROPORTIONAL"}))
    platform.given(purchase("hundred", price=999, ref="payment"), tip(20))
    thaw = {"subject": FAN, "kind": "wallet", "scope": "SPEND", "reason_code": "CLEARED"}
    sent = [
        disputed(400, fee=0, payment_ref="payment", final=True),
        Sent("unfreeze", thaw),
        tip(30),
        disputed(599, fee=0, ref="rest", payment_ref="payment", final=True),
    ]
    platform.writer.write([platform.request(each) for each in sent], atomic=atomic)
    platform.then(wallet(0), credit(deferred, 0), creator_has(0), credit(margin, 0), debit(owed, 0))


def test_tokens_of_a_refunded_tip_can_be_spent_again(platform: Platform) -> None:
    platform.given(policy(LIVE_CALL), purchase("hundred", price=999))
    sale = sold(platform, tip(60))
    platform.given(asks_back(sale, 35))
    platform.then(wallet(75), creator_has(125), credit(deferred, 999 - 599 + 349))
    platform.given(tip(75)).then(wallet(0), credit(deferred, 0), creator_has(500))


def test_a_purchase_is_refunded_as_far_as_it_is_unspent(platform: Platform) -> None:
    platform.given(policy(LIVE_CALL))
    number = bought(platform, purchase("hundred", price=999))
    platform.given(tip(60))
    back = Sent("refund-purchase", {"purchase": number, "reason_code": "REQUESTED"})
    platform.given(back).then(wallet(0), credit(deferred, 0), debit("psp.stripe", 599))
    platform.when(back).then(rejected("REFUND_EXCEEDS_REMAINING", remaining=0))


@pytest.fixture
def client(platform: Platform) -> Iterator[Client]:
    """A backend in front of a service on the platform's database."""
    service = Service(platform.fresh.service_url, platform.fresh.admin_url).start()
    asking = Client([service], platform.book, platform.fresh.admin_url)
    yield asking
    asking.close()
    service.stop()


def test_c2_a_paid_message_opens_with_its_price_and_closes_with_a_full_refund(
    platform: Platform, client: Client
) -> None:
    def check() -> int:
        follow(platform.fresh)
        return client.ask(f"/entitlements/{FAN}/letter?min_position=1").status_code

    platform.given(policy(MICRO_UNLOCK))
    assert check() == 402
    message = Sent("unlock-message", card_unlock(500, item="letter").fields)
    sale = sold(platform, message)
    platform.then(creator_has(400, CREATOR), credit(commission, 100))
    assert check() == 200
    platform.given(refunded(sale, 499))
    assert check() == 200
    platform.given(refunded(sale, 500))
    assert check() == 402


def test_c2_a_message_whose_offer_is_over(platform: Platform) -> None:
    platform.given(policy(MICRO_UNLOCK))
    over = {"offer_expires_at": "2026-01-01T00:00:00Z"}
    platform.when(Sent("unlock-message", unlock(500, **over).fields))
    platform.then(rejected("OFFER_EXPIRED", status=422))
    platform.when(Sent("unlock-message", card_unlock(500, **over).fields))
    platform.then(suspended("OFFER_EXPIRED"), credit(suspense, 500))
