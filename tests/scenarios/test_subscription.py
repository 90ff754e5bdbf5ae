"""Platform C, `subscription`: periods charged by a processor that tells of them in any order."""

from tests.scenarios.platform import Platform
from tests.scenarios.policies import SUBSCRIPTION
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

CHARGED = "subscription_period.charged.v1"


def test_c1_period_two_before_period_one_each_three_times(platform: Platform) -> None:
    platform.given(policy(SUBSCRIPTION), subscribe(999))
    platform.when([period(2, 999)] * 3, [period(1, 999)] * 3)
    platform.then(accepted(2), events(CHARGED, 2), creator_has(1_598), credit(commission, 400))
    assert [outcome.status for outcome in platform.outcomes] == [201] * 6
    ends = [e.event().period_end for e in platform.entries() if e.type == CHARGED]
    assert max(ends) == ends[0]


def test_c1_a_period_again_under_another_reference(platform: Platform) -> None:
    platform.given(policy(SUBSCRIPTION), subscribe(999), period(1, 999))
    platform.when(period(1, 999, ref="another"))
    platform.then(suspended("DUPLICATE_PERIOD"), credit(suspense, 999), events(CHARGED, 1))


def test_c1_periods_told_before_the_subscription_is(platform: Platform) -> None:
    platform.given(policy(SUBSCRIPTION))
    platform.when(period(2, 999), period(1, 999))
    assert [outcome.json["outcome"] for outcome in platform.outcomes] == ["parked"] * 2
    platform.given(subscribe(999))
    platform.then(events(CHARGED, 2), creator_has(1_598), credit(commission, 400))
