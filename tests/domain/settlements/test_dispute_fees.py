"""Fees of disputes: posted when the dispute opens, so lines that pay them cost nothing again."""

import pytest

from tests.domain.settlements.files import OTHER, POLICY, THIRD, Files, line, money, paid


def disputed(fee: int = 1_500) -> Files:
    """A payment of 2000 that a bank took back, with a fee."""
    book = Files(a=2_000)
    book.disputes("a", 2_000, fee, "dp_1")
    book.imports(paid("a", 2_000))
    return book


def test_a_fee_line_with_the_disputes_reference_clears_what_it_posted() -> None:
    book = disputed()
    book.imports(line("CHARGEBACK", -2_000, "a"), line("FEE", -1_500, "dp_1"), file=OTHER)
    assert book.money() == money(bank=-1_500)


def test_what_a_line_takes_beyond_it_is_the_processors_cost() -> None:
    book = disputed()
    book.imports(line("CHARGEBACK", -2_000, "dp_1", fee=1_000), file=OTHER)
    book.imports(line("FEE", -700, "dp_1"), line("FEE", -100, "dp_1"), file=THIRD)
    assert book.money() == money(bank=-1_800, cost=300)


def test_a_fee_line_with_the_payments_reference_is_any_fee() -> None:
    book = disputed()
    book.imports(line("FEE", -1_500, "a"), file=OTHER)
    assert book.account("exp.processor") == 1_500


def test_a_chargeback_line_clears_the_fees_of_all_its_payments_disputes() -> None:
    book = Files(a=2_000)
    book.disputes("a", 600, 100, "dp_1")
    book.disputes("a", 400, 50, "dp_2")
    book.imports(paid("a", 2_000), line("CHARGEBACK", -1_000, "a", fee=170))
    assert book.open_breaks() == {}
    assert book.money() == money(bank=830, cost=20)


@pytest.mark.parametrize("refundable", [True, False])
def test_a_fee_given_back_with_a_dispute_that_was_won(refundable: bool) -> None:
    book = Files()
    book.publish({**POLICY, "dispute_fee_refundable": refundable})
    book.receives("a", 2_000)
    book.disputes("a", 2_000, 1_500, "dp_1")
    book.imports(paid("a", 2_000), line("CHARGEBACK", -2_000, "dp_1", fee=1_500))
    book.wins("dp_1")
    back = line("CHARGEBACK_REVERSAL", 2_000, "dp_1", fee=-1_500 if refundable else 0)
    book.imports(back, file=OTHER)
    assert book.open_breaks() == {}
    cost = 0 if refundable else 1_500
    assert book.money() == money(bank=2_000 - cost)
    assert book.account("exp.dispute") == cost
    book.imports(line("FEE", 100, "dp_1"), file=THIRD)
    assert book.account("exp.processor") == -100


@pytest.mark.parametrize(
    ("early", "fee", "later"), [(1_500, 1_500, 9), (700, 1_500, 9), (20, 7, 3)]
)
@pytest.mark.parametrize("kind", ["FEE", "CHARGEBACK"])
def test_6_10_a_fee_before_the_dispute_is_heard_of_costs_once(
    kind: str, early: int, fee: int, later: int
) -> None:
    book = Files(a=2_000)
    paying = (
        line("FEE", -early, "dp_1") if kind == "FEE" else line("CHARGEBACK", 0, "dp_1", fee=early)
    )
    book.imports(paid("a", 2_000), paying)
    assert book.money() == money(bank=2_000 - early, cost=early)
    book.disputes("a", 2_000, fee, "dp_1")
    rest = max(0, fee - early)
    assert book.account("exp.dispute") == fee
    assert book.account("exp.processor") == max(0, early - fee)
    assert book.account("psp.stripe") == -2_000 - rest
    book.imports(
        line("CHARGEBACK", -2_000, "dp_1", fee=rest), line("FEE", -later, "dp_1"), file=OTHER
    )
    assert book.account("psp.stripe") == 0
    assert book.account("exp.processor") == max(0, early - fee) + later


@pytest.mark.parametrize(("early", "fee"), [(15, 15), (7, 15), (20, 7), (1_500, 1_500)])
def test_6_10_so_does_that_of_a_dispute_of_money_in_suspense(early: int, fee: int) -> None:
    book = Files()
    book.suspends("s", 500)
    book.imports(paid("s", 500), line("FEE", -early, "dp_1"))
    book.disputes("s", 200, fee, "dp_1")
    assert book.account("exp.dispute") == fee
    assert book.account("exp.processor") == max(0, early - fee)
    book.publish({**POLICY, "packages": {"small": {"tokens": 500, "price": 500}}})
    book.happens("release-payment", "fay", payment_ref="s", resolution="APPLY")
    assert book.account("exp.dispute") == fee
    assert book.account("exp.processor") == max(0, early - fee)
    rest = max(0, fee - early)
    book.imports(line("CHARGEBACK", -200, "dp_1", fee=rest), line("FEE", -4, "dp_1"), file=OTHER)
    assert book.account("psp.stripe") == 0
    assert book.account("exp.processor") == max(0, early - fee) + 4


def test_6_10_a_fee_that_is_given_back_before_the_dispute_is_none() -> None:
    book = Files(a=2_000)
    book.imports(line("FEE", -1_500, "dp_1"), line("FEE", 1_500, "dp_1"))
    book.disputes("a", 2_000, 1_500, "dp_1")
    assert (book.account("exp.processor"), book.account("exp.dispute")) == (0, 1_500)


def test_the_fee_of_a_reversal_is_no_fee_of_the_dispute() -> None:
    book = Files(a=2_000)
    book.disputes("a", 2_000, 1_500, "dp_1")
    book.wins("dp_1")
    lines = line("CHARGEBACK", -2_000, "a"), line("CHARGEBACK_REVERSAL", 2_000, "a", fee=10)
    book.imports(paid("a", 2_000), *lines)
    assert book.open_breaks() == {}
    assert book.money() == money(bank=1_990, psp=-1_500, cost=10)
