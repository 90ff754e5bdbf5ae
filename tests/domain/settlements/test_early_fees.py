"""Rule 6.10: a dispute's fee costs once, whichever of file and notice is heard of first."""

from itertools import permutations
from typing import Any

import pytest

from tests.domain.settlements.files import POLICY, STRIPE, Files, line, paid

PAID, TAKEN = 2_000, 800
CHARGED, OPENED, REVERSED, CLOSED = "charged", "opened", "reversed", "closed"
#: What is told of in its own order: lines among themselves, notices among themselves.
COURSES = [
    course
    for course in permutations((CHARGED, OPENED, REVERSED, CLOSED))
    if course.index(CHARGED) < course.index(REVERSED)
    and course.index(OPENED) < course.index(CLOSED)
]
#: (what the notice says, what the line pays)
FEES = [(1_500, 1_500), (15, 15), (20, 7), (7, 20), (9, 0), (0, 9)]


def book_of(kind: str, *, refundable: bool) -> Files:
    """A book in which a card has paid `a`: a sale, a purchase, or money that waits in suspense."""
    book = Files()
    packages = {} if kind == "suspense" else {"p": {"tokens": 100, "price": PAID}}
    book.publish({**POLICY, "packages": packages, "dispute_fee_refundable": refundable})
    if kind == "sale":
        book.receives("a", PAID)
    elif kind == "purchase":
        bought: dict[str, Any] = {"user": "ann", "package": "p", "price": PAID}
        book.happens("record-purchase", **bought, **STRIPE, processor_ref="a")
    else:
        book.suspends("a", PAID)
    return book


def happens(book: Files, what: str, about: str, *, fee: int, told: int, back: int) -> None:
    """One of the facts."""
    nth = len(book.history)
    if what == CHARGED:
        book.imports(line("CHARGEBACK", -TAKEN, about, fee=told), file=f"{nth:064x}")
    elif what == OPENED:
        book.disputes("a", TAKEN, fee, "dp_1")
    elif what == REVERSED:
        book.imports(line("CHARGEBACK_REVERSAL", TAKEN, about, fee=-back), file=f"{nth:064x}")
    else:
        book.wins("dp_1")


def matched(book: Files) -> None:
    """A person ends what lines told of before the ledger knew it: nothing differs by now."""
    for name, (code, _) in book.open_breaks().items():
        assert not book.resolves(name, "MATCH" if code == "MISSING_IN_LEDGER" else "WRITE_OFF")


@pytest.mark.parametrize("kind", ["sale", "purchase", "suspense"])
@pytest.mark.parametrize("about", ["a", "dp_1"])
@pytest.mark.parametrize("refundable", [True, False])
@pytest.mark.parametrize(("fee", "told"), FEES)
def test_6_10_a_fee_costs_once_in_every_order_of_lines_and_notices(
    kind: str, about: str, refundable: bool, fee: int, told: int
) -> None:
    for course in COURSES:
        for last in (1, 2, 3, 4):
            book = book_of(kind, refundable=refundable)
            book.imports(paid("a", PAID))
            back = told if refundable else 0
            happened = course[:last]
            for what in happened:
                happens(book, what, about, fee=fee, told=told, back=back)
            won = CLOSED in happened
            posted = fee if OPENED in happened and not (won and refundable) else 0
            costs = told * (CHARGED in happened) - back * (REVERSED in happened)
            assert book.account("exp.dispute") == posted, happened
            bank = PAID - TAKEN * (CHARGED in happened) + TAKEN * (REVERSED in happened) - costs
            assert book.account("bank") == bank, happened
            if last == 4:
                matched(book)
                settled = posted and min(fee, told)
                assert book.account("exp.processor") == costs - settled, happened
                assert book.account("psp.stripe") == settled - posted, happened
                assert not book.open_breaks()


@pytest.mark.parametrize("kind", ["sale", "purchase", "suspense"])
def test_6_10_of_two_disputes_each_takes_over_its_own_fee(kind: str) -> None:
    book = book_of(kind, refundable=False)
    book.imports(paid("a", PAID), line("CHARGEBACK", -300, "a", fee=15))
    book.disputes("a", 300, 15, "dp_1")
    matched(book)
    book.imports(line("CHARGEBACK", -200, "a", fee=9), file="cd" * 32)
    assert (book.account("exp.processor"), book.account("exp.dispute")) == (9, 15)
    book.disputes("a", 200, 9, "dp_2")
    matched(book)
    assert (book.account("exp.processor"), book.account("exp.dispute")) == (0, 24)
    assert book.account("psp.stripe") == 0


@pytest.mark.parametrize(("first", "second"), [(15, 9), (9, 15), (1, 1_500)])
def test_6_10_a_file_may_tell_of_both_before_either_notice(first: int, second: int) -> None:
    book = book_of("sale", refundable=False)
    lines = line("CHARGEBACK", -300, "a", fee=first), line("CHARGEBACK", -200, "a", fee=second)
    book.imports(paid("a", PAID), *lines)
    book.disputes("a", 200, second, "dp_2", final=True)
    book.disputes("a", 300, first, "dp_1")
    matched(book)
    assert (book.account("exp.processor"), book.account("exp.dispute")) == (0, first + second)
    assert book.account("psp.stripe") == 0


def test_6_10_what_a_known_dispute_costs_beyond_its_fee_is_no_fee_of_the_next() -> None:
    book = book_of("sale", refundable=False)
    book.disputes("a", 300, 15, "dp_1")
    book.imports(paid("a", PAID), line("CHARGEBACK", -300, "a", fee=20))
    book.disputes("a", 200, 9, "dp_2")
    assert (book.account("exp.processor"), book.account("exp.dispute")) == (5, 24)
    assert book.account("psp.stripe") == -209


def test_6_10_a_fee_of_the_payment_itself_is_no_fee_of_its_dispute() -> None:
    book = Files()
    book.imports(line("FEE", -30, "a"), paid("a", PAID))
    book.receives("a", PAID)
    book.disputes("a", 300, 15, "dp_1")
    assert (book.account("exp.processor"), book.account("exp.dispute")) == (30, 15)


@pytest.mark.parametrize("refundable", [True, False])
def test_6_10_a_fee_that_comes_back_before_the_win_is_given_back_once(refundable: bool) -> None:
    book = book_of("sale", refundable=refundable)
    book.disputes("a", TAKEN, 15, "dp_1")
    taken = line("CHARGEBACK", -TAKEN, "dp_1"), line("FEE", -15, "dp_1")
    book.imports(paid("a", PAID), *taken)
    book.imports(
        line("CHARGEBACK_REVERSAL", TAKEN, "dp_1"), line("FEE", 15, "dp_1"), file="cd" * 32
    )
    assert (book.account("exp.processor"), book.account("exp.dispute")) == (-15, 15)
    book.wins("dp_1")
    matched(book)
    cost = 0 if refundable else 15
    assert (book.account("exp.processor"), book.account("exp.dispute")) == (-cost, cost)
    assert book.account("psp.stripe") == 0
