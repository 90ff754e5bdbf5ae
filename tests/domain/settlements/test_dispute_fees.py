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


def test_a_fee_before_the_dispute_is_heard_of() -> None:
    book = Files(a=2_000)
    book.imports(line("FEE", -1_500, "dp_1"))
    assert book.money() == money(bank=-1_500, psp=2_000, cost=1_500)


def test_the_fee_of_a_reversal_is_no_fee_of_the_dispute() -> None:
    book = Files(a=2_000)
    book.disputes("a", 2_000, 1_500, "dp_1")
    book.wins("dp_1")
    lines = line("CHARGEBACK", -2_000, "a"), line("CHARGEBACK_REVERSAL", 2_000, "a", fee=10)
    book.imports(paid("a", 2_000), *lines)
    assert book.open_breaks() == {}
    assert book.money() == money(bank=1_990, psp=-1_500, cost=10)
