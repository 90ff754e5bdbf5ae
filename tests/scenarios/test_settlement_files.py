"""Settlement files of processors, line by line, against what the ledger has recorded."""

import pytest

from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.pure import Pure
from tests.scenarios.stage import Stage, plays_on
from tests.scenarios.steps import accepted, card_tip, debit, events, policy, purchase
from tests.scenarios.steps_disputes import disputed, lost, won
from tests.scenarios.steps_finance import refunded
from tests.scenarios.steps_settlements import breaks, line, resolved, settled, settlement
from tests.scenarios.write_path import WritePath

pytestmark = plays_on(Pure, WritePath)

PAID, REFUND, TAKEN, BACK = "PAYMENT", "REFUND", "CHARGEBACK", "CHARGEBACK_REVERSAL"


def sales(stage: Stage, **amounts: int) -> None:
    """Sales by card, each by its payment's reference."""
    stage.given(policy(MICRO_UNLOCK))
    stage.given(*(card_tip(amount, processor_ref=ref) for ref, amount in amounts.items()))


def test_d3_a_file_that_differs_from_the_ledger(stage: Stage) -> None:
    sales(stage, a=1_999, b=999, c=499)
    lines = line(PAID, 1_999, "a"), line(PAID, 989, "b"), line(PAID, 750, "unknown")
    stage.when(settlement("file", *lines, fee=150)).then(
        accepted(),
        events("settlement.matched.v1", 1),
        breaks(("AMOUNT_MISMATCH", -10), ("MISSING_IN_LEDGER", 750)),
        settled(bank=3_588, cost=150, psp=509, suspense=750),
    )
    before = len(stage.entries())
    stage.when(settlement("file", *lines, fee=150), settlement("again", *lines, fee=150))
    stage.then(accepted(2), settled(bank=3_588, cost=150, psp=509, suspense=750))
    assert len(stage.entries()) == before
    stage.when(resolved(stage, "RETURN")).then(settled(bank=2_838, cost=150, psp=509))


@pytest.mark.parametrize(
    ("paid", "back", "charged", "fee", "payout"),
    [
        ((5_000, 3_000, 2_000), 1_000, 1_500, 300, 5_200),
        ((4_999, 3_001, 777), 3_001, 2_000, 29, 2_970),
        ((100, 99, 9_999), 1, 100, 98, 0),
        ((12_345, 6_789, 1_011), 13, 1_500, 621, 17_000),
    ],
)
def test_6_10_a_payout_of_sales_a_refund_and_a_dispute(
    stage: Stage, paid: tuple[int, int, int], back: int, charged: int, fee: int, payout: int
) -> None:
    first, second, third = paid
    sales(stage, a=first, b=second, c=third)
    stage.given(refunded("b", back, ref="re"))
    stage.given(disputed(third, fee=charged, payment_ref="c"), lost())
    lines = (
        line(PAID, first, "a"),
        line(PAID, second, "b"),
        line(REFUND, -back, "re"),
        line(PAID, third, "c"),
        line(TAKEN, -third, "c"),
        line("FEE", -charged, "dispute"),
    )
    for _ in range(2):
        stage.when(settlement("file", *lines, fee=fee, payout=payout)).then(
            accepted(), breaks(), settled(bank=payout, cost=fee)
        )


def test_two_payouts_of_which_the_processor_takes_one_from_the_bank(stage: Stage) -> None:
    sales(stage, a=4_999, b=12_001, c=7_300)
    stage.given(refunded("b", 12_001, ref="re"))
    stage.given(disputed(7_300, fee=2_000, payment_ref="c"), won())
    lines = (
        line(PAID, 4_999, "a", fee=175),
        line(PAID, 12_001, "b", fee=379),
        line("PAYOUT", -16_446),
        line(REFUND, -12_001, "b"),
        line(PAID, 7_300, "c", fee=242),
        line(TAKEN, -7_300, "dispute", fee=2_000),
        line(BACK, 7_300, "dispute"),
        line("FEE", -35),
        line("PAYOUT", 6_978),
    )
    stage.when(settlement("file", *lines)).then(
        accepted(), breaks(), settled(bank=9_468, cost=831), debit("exp.dispute", 2_000)
    )


def test_a_payment_that_comes_in_three_parts_over_files_that_overlap(stage: Stage) -> None:
    sales(stage, a=100_001, b=33)
    first, second, third = (line(PAID, part, "a") for part in (60_000, 40_000, 1))
    small = line(PAID, 33, "b")
    stage.when(settlement("one", first, small, fee=17, payout=60_016))
    stage.then(accepted(), breaks(("AMOUNT_MISMATCH", -40_001)))
    stage.when(settlement("two", first, second, payout=40_000))
    stage.then(accepted(), breaks(("AMOUNT_MISMATCH", -1)))
    stage.when(settlement("three", second, third, small, payout=1))
    stage.then(
        accepted(),
        breaks(),
        settled(bank=100_017, cost=17),
        events("break.opened.v1", 1),
        events("break.changed.v1", 1),
        events("break.resolved.v1", 1),
    )


def test_a_fee_beyond_what_the_dispute_posted(stage: Stage) -> None:
    stage.given(policy(MICRO_UNLOCK), purchase("small", price=999, ref="p"))
    stage.given(card_tip(1, processor_ref="a"))
    stage.given(disputed(1, fee=1_500, payment_ref="a"), lost())
    lines = line(PAID, 1, "a"), line(PAID, 999, "p"), line(TAKEN, -1, "a", fee=1_501)
    stage.when(settlement("file", *lines, payout=502)).then(
        accepted(), breaks(), settled(bank=-502, cost=1)
    )


def test_a_payout_that_its_lines_do_not_make(stage: Stage) -> None:
    sales(stage, a=5_000)
    stage.when(settlement("file", line(PAID, 5_000, "a"), fee=300, payout=4_650))
    stage.then(accepted(), breaks(("AMOUNT_MISMATCH", -50)), settled(bank=4_700, cost=300))
    stage.when(resolved(stage, "WRITE_OFF"))
    stage.then(accepted(), breaks(), settled(bank=4_650, cost=350))


@plays_on(WritePath)
def test_a_whole_piece_of_lines_about_what_is_recorded(stage: Stage) -> None:
    """As many lines as a command takes, of every kind that is looked up in several steps."""
    stage.given(policy(MICRO_UNLOCK))
    refs = [f"p{number}" for number in range(125)]
    for ref in refs:
        stage.given(card_tip(1_000, processor_ref=ref), refunded(ref, 100))
        stage.given(disputed(400, f"d-{ref}", fee=15, payment_ref=ref))
    lines = [
        each
        for ref in refs
        for each in (
            line(PAID, 1_000, ref),
            line(REFUND, -100, ref),
            line(TAKEN, -400, ref),
            line("FEE", -15, f"d-{ref}"),
        )
    ]
    piece = settlement("long", *lines, payout=485 * 125)
    stage.when(piece, settlement("same", *lines, payout=485 * 125))
    stage.then(accepted(2), breaks(), settled(bank=485 * 125))
