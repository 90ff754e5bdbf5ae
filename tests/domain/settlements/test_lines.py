"""Lines of settlement files: each posts once what the bank got, and is held against the ledger."""

from typing import Any

import pytest

from domain.catalogue import InvalidRequest
from domain.settlements.lines import SettlementMatched
from tests.domain.in_memory_book import code
from tests.domain.settlements.files import FILE, OTHER, STRIPE, Files, line, money, paid

MATCHED, OPENED, CHANGED = "settlement.matched.v1", "break.opened.v1", "break.changed.v1"
RESOLVED, FEE = "break.resolved.v1", "settlement_fee.recorded.v1"


def test_a_file_of_every_kind_of_line() -> None:
    """D3: one line agrees, one differs, one is of nobody, and one payment is not mentioned."""
    book = Files(a=1_999, b=999, c=499)
    lines = paid("a", 1_999), paid("b", 989), paid("x", 750)
    assert book.imports(*lines, fee=150) == [MATCHED, OPENED, OPENED, FEE]
    assert list(book.open_breaks().values()) == [
        ("AMOUNT_MISMATCH", -10),
        ("MISSING_IN_LEDGER", 750),
    ]
    assert book.money() == money(bank=3_588, psp=509, suspense=-750, cost=150)
    assert book.imports(*lines, fee=150) == []


def test_the_same_line_in_another_file_is_passed_over() -> None:
    book = Files(a=100, b=200)
    first, second = paid("a", 100), paid("b", 200)
    book.imports(first, fee=5)
    assert book.imports(first, second, file=OTHER) == [MATCHED]
    assert book.imports(first, second, file="12" * 32, fee=5, payout=295) == []
    assert book.money() == money(bank=295, cost=5)


def test_a_line_of_another_processor_is_another_line() -> None:
    book = Files(a=100)
    same = paid("a", 100)
    book.imports(same)
    assert book.imports(same, file=OTHER, processor="adyen") == [OPENED]
    assert book.account("suspense") == -100


def test_pieces_may_come_in_any_order_and_again() -> None:
    book = Files(a=1, b=2, c=3)
    first, second, third = paid("a", 1), paid("b", 2), paid("c", 3)
    assert book.imports(third, first_line=3) == [MATCHED]
    assert book.imports(first, second) == [MATCHED, MATCHED]
    assert book.imports(second, third, first_line=2) == []
    assert book.money() == money(bank=6)


def test_lines_of_one_payment_are_summed_and_have_one_break() -> None:
    book = Files(a=1_000)
    assert book.imports(paid("a", 600)) == [OPENED]
    ((name, told),) = book.open_breaks().items()
    assert told == ("AMOUNT_MISMATCH", -400)
    assert book.imports(paid("a", 300), file=OTHER) == [CHANGED]
    assert book.open_breaks() == {name: ("AMOUNT_MISMATCH", -100)}
    assert book.imports(paid("a", 100), file=OTHER) == [MATCHED, RESOLVED]
    ended = book.events(RESOLVED)[-1]
    assert (ended.break_id, ended.resolution) == (name, "MATCHED")
    assert book.open_breaks() == {}
    assert book.money() == money(bank=1_000)
    assert book.resolves(name, "DISMISS") == "INVALID_TRANSITION"


def test_lines_of_one_payment_in_one_piece_are_summed_too() -> None:
    book = Files(a=1_000)
    assert book.imports(paid("a", 600), paid("a", 400)) == [OPENED, MATCHED, RESOLVED]
    assert book.open_breaks() == {}
    assert book.imports(paid("a", 50), file=OTHER) == [OPENED]
    assert list(book.open_breaks().values()) == [("AMOUNT_MISMATCH", 50)]


def test_a_payment_that_arrives_between_its_lines_takes_them_out_of_suspense() -> None:
    book = Files()
    book.imports(paid("a", 600))
    assert book.imports(paid("a", 100)) == [CHANGED]
    assert book.money() == money(bank=700, suspense=-700)
    book.receives("a", 1_000)
    assert book.imports(paid("a", 200), file=OTHER) == [CHANGED]
    assert list(book.open_breaks().values()) == [("AMOUNT_MISMATCH", -100)]
    assert book.money() == money(bank=900, psp=100)
    assert book.imports(paid("a", 100), file=OTHER) == [MATCHED, RESOLVED]
    assert book.money() == money(bank=1_000)


@pytest.mark.parametrize("named", ["payment", "refund"])
def test_refund_lines_are_held_against_recorded_refunds(named: str) -> None:
    book = Files(a=1_000)
    book.refunds("a", 400, "re_1")
    ref = {"payment": "a", "refund": "re_1"}[named]
    assert book.imports(paid("a", 1_000), line("REFUND", -400, ref)) == [MATCHED, MATCHED]
    assert book.money() == money(bank=600)
    book.imports(line("REFUND", -10, ref), file=OTHER)
    assert list(book.open_breaks().values()) == [("AMOUNT_MISMATCH", -10)]


def test_a_refund_that_nobody_recorded_waits_in_suspense() -> None:
    book = Files(a=1_000)
    book.imports(paid("a", 1_000), line("REFUND", -300, "a"))
    assert list(book.open_breaks().values()) == [("MISSING_IN_LEDGER", -300)]
    assert book.money() == money(bank=700, suspense=300)
    book.refunds("a", 300, "re_1")
    assert book.resolves(next(iter(book.open_breaks())), "MATCH") == ""
    assert book.money() == money(bank=700)


def test_a_refunded_purchase_is_expected_as_what_went_back() -> None:
    book = Files()
    bought: dict[str, Any] = {"user": "ann", "package": "small", "price": 999, "processor_ref": "p"}
    purchase, *_ = book.happens("record-purchase", **bought, **STRIPE)
    unlock: dict[str, Any] = {
        "user": "ann",
        "creator": "carl",
        "item": "photo",
        "funding": "TOKEN",
        "price": 300,
    }
    book.happens("unlock", **unlock)
    name = getattr(purchase, "purchase_id", "")
    refunded, *_ = book.happens("refund-purchase", "fay", purchase=name, reason_code="ASKED")
    went_back = getattr(refunded, "amount", 0)
    assert 0 < went_back < getattr(refunded, "released", 0)
    assert book.imports(paid("p", 999), line("REFUND", -went_back, "p")) == [MATCHED, MATCHED]
    assert book.money() == money(bank=999 - went_back)


def test_a_suspended_payment_is_known_and_so_is_its_return() -> None:
    book = Files()
    book.suspends("p", 998)
    assert book.imports(paid("p", 998)) == [MATCHED]
    book.happens("release-payment", "fay", payment_ref="p", resolution="RETURN")
    assert book.imports(line("REFUND", -998, "p"), file=OTHER) == [MATCHED]
    assert book.money() == money()


@pytest.mark.parametrize("named", ["payment", "dispute"])
def test_chargebacks_and_their_reversals_are_held_against_disputes(named: str) -> None:
    book = Files(a=2_000)
    book.disputes("a", 2_000, 1_500, "dp_1")
    ref = {"payment": "a", "dispute": "dp_1"}[named]
    lost = line("CHARGEBACK", -2_000, ref, fee=1_500)
    assert book.imports(paid("a", 2_000), lost) == [MATCHED, MATCHED]
    assert book.money() == money(bank=-1_500)
    book.wins("dp_1")
    back = line("CHARGEBACK_REVERSAL", 2_000, ref)
    assert book.imports(back, file=OTHER) == [MATCHED]
    assert book.money() == money(bank=500)
    assert book.account("exp.dispute") == 1_500


def test_a_chargeback_that_nobody_heard_of_waits_in_suspense() -> None:
    book = Files(a=2_000)
    book.imports(line("CHARGEBACK", -2_000, "dp_1", fee=1_500))
    assert book.money() == money(bank=-3_500, psp=2_000, suspense=2_000, cost=1_500)
    name = next(iter(book.open_breaks()))
    assert book.resolves(name, "MATCH") == "INVALID_TRANSITION"
    book.disputes("a", 1_990, 0, "dp_1")
    assert book.resolves(name, "MATCH") == ""
    assert list(book.open_breaks().values()) == [("AMOUNT_MISMATCH", -10)]
    assert book.money() == money(bank=-3_500, psp=2_010, cost=1_500)


def test_a_suspended_refund_or_dispute_is_known_by_its_own_reference() -> None:
    book = Files(a=100)
    for name, more in (
        ("record-refund", {"cumulative": 130}),
        ("open-dispute", {"amount": 150, "fee": 20}),
    ):
        about = {"sale": "a", **more, **STRIPE, "processor_ref": name}
        decision = book.decide(name, **about)
        book.record(*(decision if isinstance(decision, tuple) else decision.events))
    lines = line("REFUND", -130, "record-refund"), line("CHARGEBACK", -150, "open-dispute")
    assert book.imports(*lines) == [MATCHED, MATCHED]


def test_an_adjustment_is_for_a_person() -> None:
    book = Files()
    book.imports(line("ADJUSTMENT", 50), line("ADJUSTMENT", -1_000), line("ADJUSTMENT", 7))
    gift, reserve, wrong = book.open_breaks()
    assert book.money() == money(bank=-943, suspense=943)
    assert book.resolves(gift, "WRITE_OFF") == ""
    assert book.resolves(reserve, "MATCH") == ""
    assert book.resolves(wrong, "RETURN") == ""
    assert book.money() == money(bank=-950, psp=1_000, cost=-50)


def test_a_line_that_names_nothing_has_a_break_of_its_own() -> None:
    book = Files()
    assert book.imports(line("PAYMENT", 70), line("PAYMENT", 30)) == [OPENED, OPENED]
    first, second = book.open_breaks()
    assert book.resolves(first, "RETURN") == ""
    assert book.open_breaks() == {second: ("MISSING_IN_LEDGER", 30)}
    assert book.money() == money(bank=30, suspense=-30)


def test_a_fee_of_a_line_is_the_processors_cost() -> None:
    book = Files(a=1_000)
    book.imports(paid("a", 1_000, fee=29), line("FEE", -11), line("FEE", 5, fee=1))
    assert book.money() == money(bank=964, cost=36)


def test_lines_keep_what_the_file_said() -> None:
    book = Files(a=1_000)
    book.imports(paid("a", 1_000, currency="USD", value_date="2026-11-18"))
    (matched,) = book.events(MATCHED)
    assert isinstance(matched, SettlementMatched)
    assert str(matched.value_date) == "2026-11-18"


def test_a_line_in_another_currency_refuses_the_piece() -> None:
    book = Files(a=1_000)
    lines = [paid("a", 1_000), paid("b", 9, currency="EUR")]
    fields = {**STRIPE, "file_sha256": FILE, "lines": lines}
    assert code(book.decide("import-settlement", "fay", **fields)) == "CURRENCY_MISMATCH"


@pytest.mark.parametrize(
    "change",
    [
        {"line_ref": "a b"},
        {"line_ref": ""},
        {"line_ref": "x" * 129},
        {"kind": "TIP"},
        {"gross": 10**12 + 1},
        {"gross": 1.0},
        {"fee": "3"},
        {"value_date": "18.11.2026"},
        {"processor_ref": "a/b"},
        {"colour": "red"},
    ],
)
def test_a_line_that_is_none_is_refused_by_name(change: dict[str, object]) -> None:
    fields = {**STRIPE, "file_sha256": FILE, "lines": [{**paid("a", 1), **change}]}
    with pytest.raises(InvalidRequest) as refused:
        Files().decide("import-settlement", "fay", **fields)
    (field,) = change
    assert refused.value.problems[0].pointer.startswith(f"/lines/0/{field}")


def test_a_line_stands_once_in_a_piece() -> None:
    twice = paid("a", 1)
    fields = {**STRIPE, "file_sha256": FILE, "lines": [twice, twice]}
    with pytest.raises(InvalidRequest) as refused:
        Files().decide("import-settlement", "fay", **fields)
    assert [problem.pointer for problem in refused.value.problems] == ["/lines/1/line_ref"]


def test_references_keep_their_own_alphabet() -> None:
    book = Files()
    odd = {**paid("ch_3:1.a+b=@x-", 5), "line_ref": "a:b.c+d=e@f-g"}
    assert book.imports(odd) == [OPENED]
    assert book.imports(odd, file=OTHER) == []
