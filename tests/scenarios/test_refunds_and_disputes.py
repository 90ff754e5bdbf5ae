"""Refunds and disputes on platforms A, B and C: who gives back what, and in which order."""

import itertools
from collections.abc import Iterator

import pytest

from tests.projections.following import follow
from tests.scenarios.policies import LIVE_CALL, MICRO_UNLOCK
from tests.scenarios.pure import Pure
from tests.scenarios.stage import Stage, plays_on
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
from tests.scenarios.write_path import WritePath
from tests.support.service import Client, Service

bad_debt, dispute_cost, in_dispute, owed = "exp.baddebt", "exp.dispute", "disputed", "fan_debt.fan"

pytestmark = plays_on(Pure, WritePath)


def sold(stage: Stage, sent: Sent) -> str:
    """The id of a sale that is made."""
    stage.when(sent).then(accepted())
    sale_id: str = stage.outcomes[0].event["sale_id"]
    return sale_id


def bought(stage: Stage, sent: Sent) -> str:
    """The id of a purchase that is made."""
    stage.when(sent).then(accepted())
    purchase_id: str = stage.outcomes[0].event["purchase_id"]
    return purchase_id


def test_a4_refunds_take_back_what_was_shared_and_never_more(stage: Stage) -> None:
    stage.given(policy(MICRO_UNLOCK))
    sale = sold(stage, card_unlock(399))
    stage.then(creator_has(319), credit(commission, 80))

    stage.given(asks_back(sale, 200), refunded(sale, 200))
    stage.then(creator_has(319 - 160), credit(commission, 80 - 40))
    stage.given(asks_back(sale, 199), refunded(sale, 399))
    stage.then(creator_has(319 - 160 - 159), credit(commission, 0), debit("psp.stripe", 0))
    stage.when(asks_back(sale, 1))
    stage.then(rejected("REFUND_EXCEEDS_REMAINING", status=422, remaining=0))


def test_a7_a_dispute_after_a_partial_refund(stage: Stage) -> None:
    stage.given(policy(MICRO_UNLOCK))
    sale = sold(stage, card_unlock(399))
    stage.given(refunded(sale, 200))

    stage.given(disputed(399, sale=sale))
    stage.then(creator_has(0), creator_has(159, bucket="reserved"))
    stage.then(debit(in_dispute, 399), debit(dispute_cost, FEE))
    stage.when(asks_back(sale, 1)).then(rejected("DISPUTE_OPEN", status=409))

    stage.given(lost())
    stage.then(creator_has(0), creator_has(0, bucket="reserved"))
    stage.then(debit(in_dispute, 0), debit(bad_debt, 200), credit(commission, 0))
    before = stage.balances()
    stage.when(lost(), disputed(399, sale=sale)).then(events("dispute.lost.v1", 1))
    assert stage.balances() == before


def test_a7_notices_of_one_payment_in_any_order(stage: Stage) -> None:
    stage.given(policy(MICRO_UNLOCK))
    ends = set()
    before = stage.balances()
    notices = ("payment", "refund", "dispute", "lost")
    for nth, order in enumerate(itertools.permutations(notices)):
        paid = {"processor_ref": f"payment-{nth}", "creator": f"creator-{nth}"}
        sent = {
            "payment": card_unlock(399, **paid),
            "refund": refunded(f"payment-{nth}", 200),
            "dispute": disputed(399, ref=f"dispute-{nth}", payment_ref=f"payment-{nth}"),
            "lost": lost(f"dispute-{nth}"),
        }
        stage.when(*(sent[name] for name in order))
        assert {outcome.status for outcome in stage.outcomes} <= {201, 202}
        after = stage.balances()
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
    stage.check()


def test_a_dispute_that_is_won_after_it_was_lost(stage: Stage) -> None:
    stage.given(policy(MICRO_UNLOCK))
    sale = sold(stage, card_unlock(399))
    stage.given(disputed(399, sale=sale), lost(), won())
    stage.then(creator_has(319), credit(commission, 80), debit("psp.stripe", 399 - FEE))
    stage.when(lost()).then(suspended("INVALID_TRANSITION"), creator_has(319))


def spent_sixty_of_a_hundred(stage: Stage, bearer: str) -> str:
    """A hundred tokens are bought for 999, sixty of them tipped."""
    stage.given(policy({**LIVE_CALL, "dispute_bearer": bearer}))
    number = bought(stage, purchase("hundred", price=999))
    stage.given(tip(60)).then(creator_has(300), credit(margin, 299))
    return number


def test_b7_the_platform_bears_a_lost_purchase(stage: Stage) -> None:
    number = spent_sixty_of_a_hundred(stage, "PLATFORM")
    stage.given(disputed(999, fee=0, purchase=number))
    stage.then(wallet(0), credit(f"w.{FAN}.held", 0), credit(deferred, 400))
    stage.given(lost())
    stage.then(wallet(0), credit(deferred, 0), debit(owed, 599), creator_has(300))
    stage.then(credit(margin, 299), debit(in_dispute, 0))
    stage.when(tip(1)).then(rejected("ACCOUNT_FROZEN", status=409, scope="SPEND"))


@plays_on(WritePath)
def test_b7_creators_bear_a_lost_purchase(stage: WritePath) -> None:
    number = spent_sixty_of_a_hundred(stage, "CREATOR_PROPORTIONAL")
    stage.restart()
    stage.given(disputed(999, fee=0, purchase=number), lost())
    stage.then(wallet(0), credit(deferred, 0), debit(owed, 0), creator_has(0))
    stage.then(credit(margin, 0), debit(in_dispute, 0))
    stage.given(won())
    stage.then(wallet(40), credit(deferred, 400), creator_has(300), credit(margin, 299))


@plays_on(WritePath)
def test_b7_everything_in_one_batch(stage: WritePath) -> None:
    """The dispute traces sales that the same transaction has only just decided."""
    stage.given(policy({**LIVE_CALL, "dispute_bearer": "CREATOR_PROPORTIONAL"}))
    sent = [
        purchase("hundred", price=999, ref="payment"),
        tip(25),
        tip(35),
        disputed(500, fee=0, payment_ref="payment", final=True),
        disputed(499, fee=0, ref="rest", payment_ref="payment", final=True),
    ]
    answers = stage.writer.write([stage.request(each) for each in sent])
    assert [answer.status for answer in answers] == [201] * len(sent)
    stage.then(wallet(0), credit(deferred, 0), creator_has(0), credit(margin, 0), debit(owed, 0))


@plays_on(WritePath)
@pytest.mark.parametrize("atomic", [True, False])
def test_a_trail_grows_with_what_its_own_batch_decides(stage: WritePath, atomic: bool) -> None:
    stage.given(policy({**LIVE_CALL, "dispute_bearer": "CREATOR_PROPORTIONAL"}))
    stage.given(purchase("hundred", price=999, ref="payment"), tip(20))
    thaw = {"subject": FAN, "kind": "wallet", "scope": "SPEND", "reason_code": "CLEARED"}
    sent = [
        disputed(400, fee=0, payment_ref="payment", final=True),
        Sent("unfreeze", thaw),
        tip(30),
        disputed(599, fee=0, ref="rest", payment_ref="payment", final=True),
    ]
    stage.writer.write([stage.request(each) for each in sent], atomic=atomic)
    stage.then(wallet(0), credit(deferred, 0), creator_has(0), credit(margin, 0), debit(owed, 0))


def test_tokens_of_a_refunded_tip_can_be_spent_again(stage: Stage) -> None:
    stage.given(policy(LIVE_CALL), purchase("hundred", price=999))
    sale = sold(stage, tip(60))
    stage.given(asks_back(sale, 35))
    stage.then(wallet(75), creator_has(125), credit(deferred, 999 - 599 + 349))
    stage.given(tip(75)).then(wallet(0), credit(deferred, 0), creator_has(500))


def test_a_purchase_is_refunded_as_far_as_it_is_unspent(stage: Stage) -> None:
    stage.given(policy(LIVE_CALL))
    number = bought(stage, purchase("hundred", price=999))
    stage.given(tip(60))
    back = Sent("refund-purchase", {"purchase": number, "reason_code": "REQUESTED"})
    stage.given(back).then(wallet(0), credit(deferred, 0), debit("psp.stripe", 599))
    stage.when(back).then(rejected("REFUND_EXCEEDS_REMAINING", remaining=0))


@pytest.fixture
def client(stage: WritePath) -> Iterator[Client]:
    """A backend in front of a service on the platform's database."""
    service = Service(stage.fresh.service_url, stage.fresh.admin_url).start()
    asking = Client([service], stage.book, stage.fresh.admin_url)
    yield asking
    asking.close()
    service.stop()


@plays_on(WritePath)
def test_c2_a_paid_message_opens_with_its_price_and_closes_with_a_full_refund(
    stage: WritePath, client: Client
) -> None:
    def check() -> int:
        follow(stage.fresh)
        return client.ask(f"/entitlements/{FAN}/letter?min_position=1").status_code

    stage.given(policy(MICRO_UNLOCK))
    assert check() == 402
    message = Sent("unlock-message", card_unlock(500, item="letter").fields)
    sale = sold(stage, message)
    stage.then(creator_has(400, CREATOR), credit(commission, 100))
    assert check() == 200
    stage.given(refunded(sale, 499))
    assert check() == 200
    stage.given(refunded(sale, 500))
    assert check() == 402


def test_c2_a_message_whose_offer_is_over(stage: Stage) -> None:
    stage.given(policy(MICRO_UNLOCK))
    over = {"offer_expires_at": "2026-01-01T00:00:00Z"}
    stage.when(Sent("unlock-message", unlock(500, **over).fields))
    stage.then(rejected("OFFER_EXPIRED", status=422))
    stage.when(Sent("unlock-message", card_unlock(500, **over).fields))
    stage.then(suspended("OFFER_EXPIRED"), credit(suspense, 500))
