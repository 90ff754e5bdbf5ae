"""Platform C, `subscription`: periods charged by a processor that tells of them in any order."""

from tests.scenarios.policies import SUBSCRIPTION
from tests.scenarios.pure import Pure
from tests.scenarios.stage import Stage, plays_on
from tests.scenarios.steps import (
    accepted,
    commission,
    creator_has,
    credit,
    events,
    policy,
    suspended,
    suspense,
)
from tests.scenarios.steps_products import period, subscribe
from tests.scenarios.write_path import WritePath

CHARGED = "subscription_period.charged.v1"

pytestmark = plays_on(Pure, WritePath)


def test_c1_period_two_before_period_one_each_three_times(stage: Stage) -> None:
    stage.given(policy(SUBSCRIPTION), subscribe(999))
    stage.when([period(2, 999)] * 3, [period(1, 999)] * 3)
    stage.then(accepted(2), events(CHARGED, 2), creator_has(1_598), credit(commission, 400))
    assert [outcome.status for outcome in stage.outcomes] == [201] * 6
    ends = [e.event().period_end for e in stage.entries() if e.type == CHARGED]
    assert max(ends) == ends[0]


def test_c1_a_period_again_under_another_reference(stage: Stage) -> None:
    stage.given(policy(SUBSCRIPTION), subscribe(999), period(1, 999))
    stage.when(period(1, 999, ref="another"))
    stage.then(suspended("DUPLICATE_PERIOD"), credit(suspense, 999), events(CHARGED, 1))


def test_c1_periods_told_before_the_subscription_is(stage: Stage) -> None:
    stage.given(policy(SUBSCRIPTION))
    stage.when(period(2, 999), period(1, 999))
    assert [outcome.json["outcome"] for outcome in stage.outcomes] == ["parked"] * 2
    stage.given(subscribe(999))
    stage.then(events(CHARGED, 2), creator_has(1_598), credit(commission, 400))
