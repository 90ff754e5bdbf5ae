"""Payments in suspense are paid back or disputed; captures in parts are undone."""

import pytest

from tests.scenarios.pure import Pure
from tests.scenarios.stage import Stage, plays_on
from tests.scenarios.steps import (
    CREATOR,
    FAN,
    Sent,
    accepted,
    card_unlock,
    freeze,
    policy,
    rejected,
    suspended,
)
from tests.scenarios.steps_disputes import disputed, lost, won
from tests.scenarios.steps_money_back import (
    PAID,
    POLICY,
    gave_back,
    gave_back_by_now,
    has_access,
    payment_failed,
    refund_failed,
    released,
    sold,
    stands_at,
)
from tests.scenarios.write_path import WritePath

pytestmark = plays_on(Pure)
on_postgresql_too = plays_on(Pure, WritePath)


@pytest.fixture(autouse=True)
def _open(stage: Stage) -> None:
    stage.given(policy(POLICY))


#: Price, creator's share at 80 %.
PRICES = [(1_000, 800), (399, 319), (9_999, 7_999), (3, 2)]
every_price = pytest.mark.parametrize(("price", "share"), PRICES)


def waits(stage: Stage, price: int) -> None:
    """The fan may not spend, so a photo that a card paid for waits in suspense."""
    frozen = freeze(FAN, "wallet", "SPEND")
    stage.given(frozen)
    stage.when(card_unlock(price, item="photo", processor_ref=PAID))
    stage.then(suspended("ACCOUNT_FROZEN"), *stands_at(psp=price, suspense=price))
    stage.given(Sent("unfreeze", frozen.fields))


@on_postgresql_too
@every_price
def test_6_3_what_is_left_of_a_suspended_payment_is_returned(
    stage: Stage, price: int, share: int
) -> None:
    waits(stage, price)
    stage.given(gave_back(price - 1)).then(*stands_at(psp=1, suspense=1))
    stage.given(disputed(5, fee=100, payment_ref=PAID))
    stage.then(*stands_at(suspense=0, bad_debt=4, disputes=100, psp=-104))
    stage.given(won()).then(*stands_at(suspense=1, bad_debt=0, disputes=100, psp=-99))
    stage.given(released("RETURN")).then(*stands_at(suspense=0, psp=-100))
    stage.when(released("RETURN")).then(rejected("INVALID_TRANSITION"))


@on_postgresql_too
@pytest.mark.parametrize(
    ("price", "refund", "dispute"),
    [(1_000, 300, 200), (399, 399, 0), (9_999, 1, 20_000), (1_000, 1_200, 50)],
)
def test_6_3_an_applied_payment_is_as_if_it_had_never_been_suspended(
    stage: Stage, price: int, refund: int, dispute: int
) -> None:
    notices = [gave_back(refund, "r1")]
    if dispute:
        notices.append(disputed(dispute, payment_ref=PAID, final=True))
    expected = Pure()
    expected.given(policy(POLICY))
    sold(expected, price)
    for notice in notices:
        expected.when(notice)
    waits(stage, price)
    stage.when(notices)
    before = len(stage.entries())
    stage.when(released("APPLY")).then(accepted())
    assert len(stage.entries()) - before == len(stage.outcomes[0].json["events"])
    for account in ("psp.stripe", "cr.creator.available", "rev.commission", "exp.baddebt"):
        assert stage.balance(account) == expected.balance(account), account
    for account in ("exp.dispute", "suspense", "disputed"):
        assert stage.balance(account) == expected.balance(account), account
    assert has_access(stage) == has_access(expected)
    over = max(0, refund - price)
    stage.then(*stands_at(suspense=-over))
    if over:
        stage.given(released("RETURN", "r1")).then(*stands_at(suspense=0))


@every_price
def test_6_3_a_failed_refund_of_a_suspended_payment_goes_back_to_suspense(
    stage: Stage, price: int, share: int
) -> None:
    waits(stage, price)
    stage.given(gave_back(price, "r1"), refund_failed("r1"), refund_failed("r1"))
    stage.then(*stands_at(suspense=price, psp=price))
    stage.given(payment_failed(), payment_failed()).then(*stands_at(suspense=0, psp=0))
    stage.given(released("APPLY")).then(*stands_at(suspense=0, psp=0, creator=0))
    assert not has_access(stage)


@every_price
def test_6_3_the_refund_that_a_return_leads_to_is_no_second_one(
    stage: Stage, price: int, share: int
) -> None:
    waits(stage, price)
    stage.given(released("RETURN"), gave_back(price, "r1")).then(*stands_at(psp=0, suspense=0))
    stage.given(refund_failed("r1")).then(*stands_at(psp=price, suspense=price))
    stage.given(released("RETURN")).then(*stands_at(psp=0, suspense=0))


@pytest.mark.parametrize(("price", "refund"), [(1_000, 1_200), (399, 400), (1, 2), (500, 5_000)])
def test_6_14_suspense_may_stand_on_either_side(stage: Stage, price: int, refund: int) -> None:
    waits(stage, price)
    stage.given(gave_back(refund)).then(*stands_at(suspense=price - refund, psp=price - refund))
    stage.given(released("RETURN")).then(*stands_at(suspense=0, psp=0))


# Several captures.


@on_postgresql_too
@pytest.mark.parametrize(
    ("captures", "refund", "left"),
    [
        ((300, 400, 200), 500, (300, 100, 0)),
        ((1, 999), 999, (1, 0)),
        ((500, 300), 301, (499, 0)),
        ((100, 100, 100), 300, (0, 0, 0)),
    ],
)
def test_6_11_a_refund_takes_the_latest_capture_first(
    stage: Stage, captures: tuple[int, ...], refund: int, left: tuple[int, ...]
) -> None:
    terms = {"session": "s1", "user": FAN, "payee": CREATOR, "tier": "STANDARD", "amount": 1_000}
    paid = {"processor": "stripe", "processor_ref": PAID}
    stage.when(Sent("authorize", {**terms, **paid})).then(accepted())
    payment = stage.outcomes[0].event["payment_id"]
    sales = []
    for amount in captures:
        capture = {"payment": payment, "amount": amount, "final": False}
        stage.when(Sent("capture", capture)).then(accepted())
        sales.append(stage.outcomes[0].event["sale_id"])
    total = sum(captures)
    stage.when(Sent("capture", {"payment": payment, "amount": 1_001 - total}))
    stage.then(rejected("CAPTURE_EXCEEDS_HOLD", held=1_000 - total))
    stage.when(gave_back_by_now(refund)).then(accepted(), *stands_at(psp=total - refund))
    back = dict.fromkeys(sales, 0)
    for event in stage.outcomes[0].json["events"]:
        back[event["body"]["sale_id"]] += event["body"]["amount"]
    assert tuple(a - b for a, b in zip(captures, back.values(), strict=True)) == left
    stage.given(disputed(total - refund + 7, payment_ref=PAID, fee=0))
    stage.given(lost()).then(*stands_at(psp=-7, bad_debt=7, creator=0, commission=0))
    stage.given(won()).then(*stands_at(psp=total - refund, bad_debt=0))
    if total < 1_000:
        void = Sent("void", {"payment": payment, "reason_code": "DONE"})
        stage.when(void).then(accepted())
        assert stage.outcomes[0].event["amount"] == 1_000 - total
    stage.given(payment_failed()).then(*stands_at(psp=0, creator=0, commission=0))


def test_6_11_the_final_capture_voids_the_rest(stage: Stage) -> None:
    for nth, (first, last) in enumerate(((300, 400), (1, 998), (500, 500), (999, 1))):
        terms = {"session": f"s{nth}", "user": FAN, "payee": CREATOR, "tier": "STANDARD"}
        paid = {"amount": 1_000, "processor": "stripe", "processor_ref": f"paid-{nth}"}
        stage.when(Sent("authorize", {**terms, **paid})).then(accepted())
        payment = {"payment": stage.outcomes[0].event["payment_id"]}
        stage.given(Sent("capture", {**payment, "amount": first, "final": False}))
        stage.when(Sent("capture", {**payment, "amount": last})).then(accepted())
        assert stage.outcomes[0].event.get("voided", 0) == 1_000 - first - last
        stage.when(Sent("void", {**payment, "reason_code": "LATE"})).then(rejected("HOLD_NOT_OPEN"))
