"""Money that goes back to cards in every way that processors know, and back again."""

import itertools
from typing import Any

import pytest

from tests.scenarios.pure import Pure
from tests.scenarios.stage import Stage, plays_on
from tests.scenarios.steps import (
    Sent,
    accepted,
    events,
    policy,
    rejected,
)
from tests.scenarios.steps_disputes import asks_back, disputed, won
from tests.scenarios.steps_finance import paid_out, payout, ready
from tests.scenarios.steps_money_back import (
    PAID,
    POLICY,
    gave_back,
    gave_back_by_now,
    has_access,
    payment_failed,
    refund_failed,
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


@on_postgresql_too
@pytest.mark.parametrize(
    ("price", "dispute", "share", "excess"),
    [(1_000, 1_020, 800, 20), (399, 400, 319, 1), (9_999, 20_000, 7_999, 10_001), (3, 4, 2, 1)],
)
def test_6_4_a_dispute_takes_what_there_is_and_the_excess_is_bad_debt(
    stage: Stage, price: int, dispute: int, share: int, excess: int
) -> None:
    sold(stage, price)
    stage.then(*stands_at(creator=share, commission=price - share))
    stage.given(disputed(dispute, payment_ref=PAID, final=True))
    stage.then(*stands_at(creator=0, commission=0, bad_debt=excess, disputes=1_500))
    stage.then(*stands_at(psp=price - dispute - 1_500, disputed=0))
    stage.given(won()).then(*stands_at(creator=share, bad_debt=0, psp=price - 1_500))


@on_postgresql_too
@pytest.mark.parametrize(
    ("price", "share", "part"), [(1_000, 800, 400), (399, 319, 1), (9_999, 7_999, 9_999), (3, 2, 2)]
)
def test_6_5_a_recorded_refund_that_fails_is_as_if_it_had_never_been(
    stage: Stage, price: int, share: int, part: int
) -> None:
    sale = sold(stage, price)
    stage.given(gave_back(part, "r1"), refund_failed("r1"))
    stage.then(*stands_at(creator=share, commission=price - share, psp=price))
    assert has_access(stage)
    stage.given(refund_failed("r1")).then(events("refund.reversed.v1", 1))
    stage.given(gave_back_by_now(part, "r2"), refund_failed("r2"))
    stage.then(*stands_at(creator=share, commission=price - share, psp=price))
    stage.when(asks_back(sale, price)).then(accepted())
    stage.given(gave_back_by_now(price)).then(*stands_at(creator=0, commission=0, psp=0))
    assert not has_access(stage)


@every_price
def test_6_5_access_ends_with_the_refund_and_comes_back_with_its_failure(
    stage: Stage, price: int, share: int
) -> None:
    sold(stage, price)
    stage.given(gave_back(price - 1), gave_back(1, "last"))
    assert not has_access(stage)
    stage.given(refund_failed("last"))
    assert has_access(stage)
    stage.then(*stands_at(psp=1))


@every_price
def test_6_5_the_creators_part_comes_back_to_where_earnings_are_now(
    stage: Stage, price: int, share: int
) -> None:
    sold(stage, price)
    stage.given(gave_back(price, "r1"), ready())
    stage.given(refund_failed("r1"), payout(share))
    paid_out(stage)
    stage.then(*stands_at(creator=0))
    stage.given(gave_back(price, "r2")).then(*stands_at(creator=-share))
    stage.given(refund_failed("r2")).then(*stands_at(creator=0, commission=price - share))


@pytest.mark.parametrize(
    ("asked", "reported"), [((700,), 300), ((400, 500), 900), ((999,), 998), ((100, 200, 300), 300)]
)
def test_6_5_of_requests_confirmed_in_part_what_was_recorded_is_reversed_and_the_rest_is_free(
    stage: Stage, asked: tuple[int, ...], reported: int
) -> None:
    sale = sold(stage, 1_000)
    refunds = []
    for amount in asked:
        stage.when(asks_back(sale, amount)).then(accepted())
        refunds.append(stage.outcomes[0].event["refund_id"])
    stage.given(gave_back(reported, "r1"))
    stage.given(refund_failed(refunds[0]))
    others = sum(asked[1:])
    stage.when(asks_back(sale, 1_000 - others + 1)).then(rejected("REFUND_EXCEEDS_REMAINING"))
    stage.when(asks_back(sale, 1_000 - others)).then(accepted())


@pytest.mark.parametrize(
    ("price", "part", "vat"), [(1_200, 600, 100), (399, 399, 67), (9_999, 3_333, 556), (60, 30, 5)]
)
def test_6_5_a_debit_note_follows_in_the_same_series(
    stage: Stage, price: int, part: int, vat: int
) -> None:
    sold(stage, price, country="DE")
    stage.given(gave_back(part, "r1"), refund_failed("r1"))
    notes = [
        (entry.type, entry.event().number, entry.event().vat)  # type: ignore[attr-defined]
        for entry in stage.entries()
        if hasattr(entry.event(), "number")
    ]
    assert [(kind, number) for kind, number, _ in notes] == [
        ("invoice.issued.v1", "DE-000001"),
        ("credit_note.issued.v1", "DE-000002"),
        ("debit_note.issued.v1", "DE-000003"),
    ]
    assert notes[1][2] == notes[2][2] == vat
    stage.then(*stands_at(psp=price))


@every_price
def test_6_5_a_failure_that_is_heard_before_its_refund_waits_for_it(
    stage: Stage, price: int, share: int
) -> None:
    sold(stage, price)
    stage.when(refund_failed("r1"))
    stage.given(gave_back(price, "r1")).then(*stands_at(creator=share, psp=price))


@pytest.mark.parametrize(("beyond", "others"), [(200, 300), (1, 999), (5_000, 1), (1_000, 1_000)])
def test_6_5_what_had_gone_beyond_the_sale_comes_back_too(
    stage: Stage, beyond: int, others: int
) -> None:
    sold(stage, 1_000)
    stage.when(gave_back(others, "r1"), gave_back(1_000 - others + beyond, "r2"))
    stage.then(*stands_at(suspense=-beyond, psp=-beyond))
    stage.given(refund_failed("r1"))
    left = max(0, beyond - others)
    stage.then(*stands_at(suspense=-left, psp=others - beyond))
    stage.given(refund_failed("r2")).then(*stands_at(suspense=0, psp=1_000, creator=800))


@on_postgresql_too
@every_price
def test_6_6_a_figure_that_says_nothing_new_is_kept_as_ignored(
    stage: Stage, price: int, share: int
) -> None:
    sold(stage, price)
    stage.given(gave_back_by_now(price - 1))
    for figure in (price - 1, 1):
        stage.when(gave_back_by_now(figure))
        outcome = stage.outcomes[0]
        assert (outcome.status, outcome.code) == (202, "STALE_FIGURE")
        assert outcome.json["outcome"] == "ignored"
    stage.then(*stands_at(psp=1))


@on_postgresql_too
@pytest.mark.parametrize("failed_first", [True, False])
@every_price
def test_6_6_the_failure_of_what_was_ignored_is_ignored(
    stage: Stage, price: int, share: int, failed_first: bool
) -> None:
    sold(stage, price)
    stage.given(gave_back_by_now(price - 1))
    stale, failure = gave_back_by_now(1, "stale"), refund_failed("stale")
    stage.when(*((failure, stale) if failed_first else (stale, failure)))
    codes = ["AWAITING_REFERENT", "STALE_FIGURE"] if failed_first else ["STALE_FIGURE"] * 2
    assert [outcome.code for outcome in stage.outcomes] == codes
    stage.then(*stands_at(psp=1))
    released = stage.outcomes[1].json.get("released", [])
    assert [one["command"] for one in released] == ["fail-refund"] * failed_first


def test_6_6_a_figure_from_before_a_failure_is_stale(stage: Stage) -> None:
    sold(stage, 1_000)
    stage.given(
        gave_back_by_now(400, "r1"), refund_failed("r1", occurred_at="2026-11-20T11:00:00Z")
    )
    stage.when(gave_back_by_now(700, occurred_at="2026-11-20T10:59:59Z"))
    assert stage.outcomes[0].code == "STALE_FIGURE"
    stage.given(gave_back_by_now(300, occurred_at="2026-11-20T11:00:00Z"))
    stage.then(*stands_at(psp=700))


@pytest.mark.parametrize(
    "fields",
    [
        {"sale": "s", "payment_ref": "p", "amount": 1},
        {"amount": 1},
        {"sale": "s"},
        {"sale": "s", "amount": 1, "cumulative": 1},
    ],
)
def test_6_6_exactly_one_name_and_one_figure(stage: Stage, fields: dict[str, Any]) -> None:
    notice = {"processor": "stripe", "processor_ref": "r1", **fields}
    stage.when(Sent("record-refund", notice)).then(rejected("INVALID_REQUEST", status=400))


@pytest.mark.parametrize("parts", [(250, 750), (1, 999), (999, 1), (300, 300, 400)])
def test_6_7_access_ends_when_all_is_back_and_not_before(
    stage: Stage, parts: tuple[int, ...]
) -> None:
    sold(stage, 1_000)
    for nth, part in enumerate(parts):
        assert has_access(stage)
        stage.given(disputed(part, ref=f"d{nth}", payment_ref=PAID, final=True))
    assert not has_access(stage)
    stage.given(won("d0"))
    assert has_access(stage)


# Payments that fail after they had succeeded.


@on_postgresql_too
@pytest.mark.parametrize(
    ("price", "refund", "dispute"),
    [(1_000, 0, 0), (399, 200, 0), (9_999, 1, 5_000), (1_000, 400, 600)],
)
def test_6_2_a_bounced_payment_takes_back_what_has_not_gone_back_yet(
    stage: Stage, price: int, refund: int, dispute: int
) -> None:
    sale = sold(stage, price)
    if dispute:
        stage.given(disputed(dispute, fee=0, payment_ref=PAID, final=True))
    if refund:
        stage.given(gave_back(refund))
    if refund + dispute < price:
        stage.when(asks_back(sale, 1)).then(accepted())
    stage.given(payment_failed(sale=sale))
    stage.then(*stands_at(psp=0, creator=0, commission=0, bad_debt=0))
    assert not has_access(stage)
    stage.given(payment_failed()).then(events("sale_payment.failed.v1", 1))
    stage.when(asks_back(sale, 1)).then(rejected("REFUND_EXCEEDS_REMAINING", remaining=0))
    assert sum(entry.type == "refund.failed.v1" for entry in stage.entries()) == (
        refund + dispute < price
    )


@pytest.mark.parametrize(("refund", "dispute"), [(300, 400), (1_000, 1), (1, 1_500), (600, 600)])
def test_6_2_notices_of_a_bounced_payment_in_any_order(refund: int, dispute: int) -> None:
    ends = set()
    for order in itertools.permutations(range(3)):
        stage = Pure()
        stage.given(policy(POLICY))
        sold(stage, 1_000)
        for nth in order:
            stage.given(
                (
                    gave_back(refund),
                    disputed(dispute, payment_ref=PAID, final=True),
                    payment_failed(),
                )[nth]
            )
        accounts = ("psp.stripe", "cr.creator.available", "rev.commission", "exp.baddebt")
        ends.add(tuple(stage.balance(account) for account in (*accounts, "suspense")))
    assert len(ends) == 1
    ((psp, creator, commission, bad_debt, _),) = ends
    assert (creator, commission) == (0, 0)
    assert psp == min(0, 1_000 - refund - dispute) - 1_500
    assert bad_debt == max(0, refund + dispute - 1_000)
