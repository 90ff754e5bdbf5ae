"""Control figures: what a processor says it paid, against what its lines make."""

import pytest

from tests.domain.settlements.files import FILE, OTHER, THIRD, Files, line, money, paid

PAYOUT, OPENED = "settlement_payout.recorded.v1", "break.opened.v1"
MATCHED, FEE = "settlement.matched.v1", "settlement_fee.recorded.v1"


def differences(book: Files) -> list[int]:
    """The differences of all breaks of control figures."""
    return [one.difference for one in book.events(OPENED) if one.kind == "PAYOUT"]


def test_a_payout_that_the_lines_make_opens_no_break() -> None:
    book = Files(a=700, b=300)
    assert book.imports(paid("a", 700), paid("b", 300, fee=9), fee=41, payout=950) == [
        MATCHED,
        MATCHED,
        FEE,
        PAYOUT,
    ]
    assert book.open_breaks() == {}
    assert book.money() == money(bank=950, cost=50)


@pytest.mark.parametrize("payout", [940, 990])
def test_a_payout_that_they_do_not_make_opens_a_break_without_a_payment(payout: int) -> None:
    book = Files(a=1_000)
    line_of_a = paid("a", 1_000)
    assert book.imports(line_of_a, fee=50, payout=payout) == [MATCHED, FEE, PAYOUT, OPENED]
    ((name, told),) = book.open_breaks().items()
    assert told == ("AMOUNT_MISMATCH", payout - 950)
    assert book.events(OPENED)[-1].payment_ref is None
    assert book.imports(line_of_a, fee=50, payout=payout) == []
    assert book.resolves(name, "WRITE_OFF") == ""
    assert book.money() == money(bank=payout, cost=1_000 - payout)


def test_a_file_in_pieces_is_checked_once_with_its_last() -> None:
    book = Files(a=100, b=200, c=300)
    first, second, third = paid("a", 100), paid("b", 200), paid("c", 300)
    book.imports(first)
    book.imports(second, first_line=2)
    assert book.imports(third, first_line=3, fee=10, payout=580)[-1] == OPENED
    assert differences(book) == [-10]
    assert book.imports(third, first_line=3, fee=10, payout=580) == []
    assert book.imports(first, second, third, fee=10, payout=580) == []


def test_the_last_piece_may_have_no_lines() -> None:
    book = Files(a=100)
    book.imports(paid("a", 100))
    assert book.imports(first_line=2, fee=10, payout=90) == [FEE, PAYOUT]
    assert book.money() == money(bank=90, cost=10)


def test_each_payout_line_is_for_the_movements_since_the_one_before() -> None:
    book = Files(a=100, b=200, c=300)
    book.imports(
        paid("a", 100),
        line("PAYOUT", -100),
        paid("b", 200),
        paid("c", 300),
        line("PAYOUT", -480),
        fee=20,
    )
    assert differences(book) == []
    assert book.money() == money(bank=580, cost=20)


def test_a_payout_line_and_the_files_payout_say_it_once() -> None:
    book = Files(a=100)
    told = book.imports(paid("a", 100), line("PAYOUT", -100), payout=100)
    assert told == [MATCHED, PAYOUT]
    assert book.open_breaks() == {}


def test_files_that_begin_in_the_middle_of_a_payout() -> None:
    book = Files(a=100, b=200, c=300, d=400)
    rows = [
        paid("a", 100),
        line("PAYOUT", -100),
        paid("b", 200),
        paid("c", 300),
        line("PAYOUT", -500),
        paid("d", 400),
        line("PAYOUT", -390),
    ]
    book.imports(*rows[:3])
    book.imports(*rows[1:5], file=OTHER)
    assert book.open_breaks() == {}
    book.imports(*rows[4:], file=THIRD)
    assert differences(book) == [-10]


def test_files_in_any_order_that_each_tell_of_their_own_payout() -> None:
    book = Files(a=100, b=200)
    book.imports(paid("b", 200))
    book.imports(paid("a", 100), file=OTHER, payout=100)
    assert book.open_breaks() == {}


def test_a_payout_that_the_processor_takes_from_the_bank() -> None:
    book = Files(a=100)
    book.refunds("a", 100, "re_1")
    refund = line("REFUND", -100, "re_1", fee=3)
    book.imports(refund, payout=103)
    assert book.open_breaks() == {}
    book.imports(line("FEE", -7), line("PAYOUT", 9), file=OTHER)
    assert differences(book) == [-2]


def test_the_fee_of_a_file_whose_lines_are_all_known_is_known_too() -> None:
    book = Files(a=100)
    known = paid("a", 100)
    book.imports(known, fee=4, payout=96)
    assert book.imports(known, file=OTHER, fee=4, payout=96) == []
    assert book.imports(file=THIRD, fee=5) == [FEE]
    assert book.imports(file=THIRD, fee=5) == []
    assert book.money() == money(bank=91, cost=9)


def test_a_fee_that_is_given_back() -> None:
    book = Files(a=100)
    assert book.imports(paid("a", 100), fee=-4, payout=104) == [MATCHED, FEE, PAYOUT]
    assert book.money() == money(bank=104, cost=-4)


def test_a_control_figure_of_zero() -> None:
    book = Files(a=100)
    assert book.imports(paid("a", 100, fee=100), payout=0, file=FILE) == [MATCHED, PAYOUT]
    assert book.open_breaks() == {}
