"""Breaks: each has a name of its own, an owner if somebody gives it one, and one end."""

from typing import Any

import pytest

from domain.settlements.breaks import BreakResolved
from domain.settlements.lines import BreakOpened, SettlementFeeRecorded, SettlementMatched
from domain.settlements.settlement import Break
from tests.domain.in_memory_book import code
from tests.domain.settlements.files import FILE, OTHER, THIRD, Files, line, money, paid


def only_break(book: Files) -> str:
    """The name of the break that is open."""
    (name,) = book.open_breaks()
    return name


@pytest.mark.parametrize(("settled", "cost"), [(989, 10), (1_009, -10)])
def test_a_difference_is_written_off(settled: int, cost: int) -> None:
    book = Files(b=999)
    book.imports(paid("b", settled))
    name = only_break(book)
    assert book.resolves(name, "MATCH") == "INVALID_TRANSITION"
    assert book.resolves(name, "WRITE_OFF") == ""
    assert book.money() == money(bank=settled, cost=cost)
    assert book.resolves(name, "WRITE_OFF") == "INVALID_TRANSITION"


def test_what_was_written_off_is_missed_no_more() -> None:
    book = Files(b=999)
    book.imports(paid("b", 989))
    book.resolves(only_break(book), "WRITE_OFF")
    book.imports(paid("b", 10), file=OTHER)
    assert book.open_breaks()[only_break(book)] == ("AMOUNT_MISMATCH", 10)
    assert book.resolves(only_break(book), "WRITE_OFF") == ""
    assert book.money() == money(bank=999)


def test_only_what_differs_by_now_is_written_off() -> None:
    """The ledger heard of the second refund after the lines that told of both."""
    book = Files(a=1_000)
    book.refunds("a", 400, "re_1")
    book.imports(paid("a", 1_000), line("REFUND", -700, "a"))
    name = only_break(book)
    assert book.open_breaks()[name] == ("AMOUNT_MISMATCH", -300)
    book.refunds("a", 690, "re_2")
    assert book.resolves(name, "WRITE_OFF") == ""
    assert book.money() == money(bank=300, cost=10)
    book.refunds("a", 700, "re_3")
    book.imports(line("REFUND", 10, "a"), file=OTHER)
    assert list(book.open_breaks().values()) == [("AMOUNT_MISMATCH", 20)]


def test_money_that_came_before_its_payment_is_matched_with_it() -> None:
    book = Files()
    book.imports(paid("x", 750))
    name = only_break(book)
    assert book.resolves(name, "MATCH") == "INVALID_TRANSITION"
    book.receives("x", 750)
    assert book.resolves(name, "MATCH") == ""
    assert book.money() == money(bank=750)
    assert book.open_breaks() == {}


def test_a_match_that_leaves_a_difference_leaves_a_break() -> None:
    book = Files()
    book.imports(paid("x", 750))
    book.receives("x", 800)
    first = only_break(book)
    assert book.resolves(first, "MATCH") == ""
    second = only_break(book)
    assert second != first
    assert book.open_breaks() == {second: ("AMOUNT_MISMATCH", -50)}
    book.imports(paid("x", 50), file=OTHER)
    assert book.open_breaks() == {}
    assert book.money() == money(bank=800)


def test_money_that_is_nobodys_is_returned() -> None:
    book = Files()
    book.imports(paid("x", 750))
    name = only_break(book)
    assert book.resolves(name, "WRITE_OFF") == "INVALID_TRANSITION"
    assert book.resolves(name, "RETURN") == ""
    assert book.money() == money()
    book.receives("x", 750)
    book.imports(paid("x", 750), file=OTHER)
    assert book.open_breaks() == {}
    assert book.money() == money(bank=750)


def test_a_break_has_an_owner() -> None:
    book = Files()
    book.imports(paid("x", 750))
    name = only_break(book)
    assert code(book.asks("assign-break", name, owner="fay")) == ""
    state = book.states[f"break:{name}"]
    assert isinstance(state, Break)
    assert state.owner == "fay"
    assert book.asks("assign-break", name, owner="fay") == ()
    book.imports(paid("x", 50), file=OTHER)
    later = book.states[f"break:{name}"]
    assert isinstance(later, Break)
    assert (later.owner, later.difference) == ("fay", 800)
    assert book.resolves(name, "DISMISS") == ""
    assert code(book.asks("assign-break", name, owner="bob")) == "INVALID_TRANSITION"


def test_breaks_that_are_none() -> None:
    book = Files(a=1)
    for name in ("a", "missing-b", "nothing"):
        assert book.resolves(name, "DISMISS") == "UNKNOWN_BREAK"
        assert code(book.asks("assign-break", name, owner="fay")) == "UNKNOWN_BREAK"


def test_a_payment_without_a_line_can_be_assigned_and_dismissed() -> None:
    book = Files(a=100)
    assert code(book.asks("assign-break", "missing-a", owner="fay")) == ""
    assert book.resolves("missing-a", "WRITE_OFF") == "INVALID_TRANSITION"
    assert book.resolves("missing-a", "DISMISS") == ""
    assert book.resolves("missing-a", "DISMISS") == "INVALID_TRANSITION"
    assert book.money() == money(psp=100)
    book.imports(paid("a", 100))
    assert book.open_breaks() == {}


def test_a_payment_with_a_line_is_not_missing() -> None:
    book = Files(a=100)
    book.imports(paid("a", 90))
    assert book.resolves("missing-a", "DISMISS") == "INVALID_TRANSITION"


OLD: dict[str, Any] = {"file_sha256": FILE, "processor": "stripe"}


def imported_before() -> Files:
    """Three payments of which files of old, without references of lines, told of two."""
    book = Files(a=1_999, b=999, c=499)
    book.record(
        SettlementMatched(**OLD, line=1, payment_ref="a", gross=1_999),
        BreakOpened(
            **OLD, line=2, payment_ref="b", gross=989, difference=-10, code="AMOUNT_MISMATCH"
        ),
        BreakOpened(
            **OLD, line=3, payment_ref="x", gross=750, difference=750, code="MISSING_IN_LEDGER"
        ),
        SettlementFeeRecorded(**OLD, fee=150),
    )
    return book


def test_an_old_file_imported_again_posts_nothing() -> None:
    book = imported_before()
    lines = paid("a", 1_999), paid("b", 989), paid("x", 750)
    assert book.imports(*lines, fee=150, payout=3_588) == []
    assert book.imports(*lines, paid("c", 499), fee=150) == ["settlement.matched.v1"]


def test_a_later_line_counts_what_an_old_one_settled() -> None:
    book = imported_before()
    book.imports(paid("b", 4), paid("a", 1), file=OTHER)
    assert book.open_breaks()["b"] == ("AMOUNT_MISMATCH", -6)
    assert ("AMOUNT_MISMATCH", 1) in book.open_breaks().values()
    assert book.imports(paid("b", 6), file=THIRD) == ["settlement.matched.v1", "break.resolved.v1"]
    assert "b" not in book.open_breaks()
    assert book.resolves("b", "DISMISS") == "INVALID_TRANSITION"


def test_an_old_break_has_its_payments_name() -> None:
    book = imported_before()
    assert code(book.asks("assign-break", "b", owner="fay")) == ""
    assert book.resolves("b", "WRITE_OFF") == ""
    assert book.resolves("b", "WRITE_OFF") == "INVALID_TRANSITION"
    assert book.resolves("x", "RETURN") == ""
    assert book.resolves("a", "DISMISS") == "INVALID_TRANSITION"
    assert book.money() == money(bank=2_838, psp=499, cost=160)


def test_an_old_payment_that_came_late_takes_its_money_out_of_suspense() -> None:
    book = imported_before()
    book.receives("x", 800)
    book.imports(paid("x", 50), file=OTHER)
    assert book.account("suspense") == 0
    assert "x" not in book.open_breaks()
    assert book.resolves("x", "MATCH") == "INVALID_TRANSITION"


@pytest.mark.parametrize("resolution", ["WRITE_OFF", "DISMISS"])
def test_what_was_resolved_before_breaks_had_names_stays_resolved(resolution: str) -> None:
    book = imported_before()
    told: dict[str, Any] = {"processor": "stripe", "gross": 989, "difference": -10}
    old = BreakResolved(payment_ref="b", code="AMOUNT_MISMATCH", resolution=resolution, **told)
    assert old.tags() == ("line:b",)
    book.record(old)
    assert book.resolves("b", "DISMISS") == "INVALID_TRANSITION"
    book.imports(paid("b", 3), file=OTHER)
    assert [told for _, told in book.open_breaks().values()] == [3]
