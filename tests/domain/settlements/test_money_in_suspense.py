"""Lines about money that waits in suspense: its processor settles it like any other.

A suspended payment is a referent (6.3), so what its refunds and disputes took is what lines about
them are compared with (6.10), by their own references or by the payment's.
"""

from typing import Any

import pytest

from tests.domain.settlements.files import OTHER, POLICY, STRIPE, THIRD, Files, line, money, paid

#: Price, what is disputed, the fee, what is refunded.
FIGURES = [(2_000, 500, 15, 300), (998, 998, 1_500, 7), (1_000, 1, 0, 999), (333, 100, 20, 233)]
figures = pytest.mark.parametrize(("price", "disputed", "fee", "back"), FIGURES)


def heard(book: Files, name: str, ref: str, **fields: Any) -> None:
    """A notice of Stripe's, which is never refused."""
    book.happens(name, **fields, **STRIPE, processor_ref=ref)


def suspended(price: int) -> Files:
    """A payment that no package has this price for."""
    book = Files()
    book.suspends("s", price)
    return book


@figures
@pytest.mark.parametrize("by_payment", [True, False])
def test_6_10_a_chargeback_of_money_in_suspense(
    price: int, disputed: int, fee: int, back: int, by_payment: bool
) -> None:
    book = suspended(price)
    book.disputes("s", disputed, fee, "dp")
    about = "s" if by_payment else "dp"
    book.imports(paid("s", price), line("CHARGEBACK", -disputed, about, fee=fee))
    assert book.open_breaks() == {}
    assert book.money() == money(bank=price - disputed - fee, suspense=disputed - price)
    assert book.account("exp.dispute") == fee

    book.wins("dp")
    book.imports(line("CHARGEBACK_REVERSAL", disputed, about), file=OTHER)
    assert book.open_breaks() == {}
    assert book.money() == money(bank=price - fee, suspense=-price)


@figures
def test_6_10_a_fee_line_of_a_dispute_of_money_in_suspense(
    price: int, disputed: int, fee: int, back: int
) -> None:
    book = suspended(price)
    book.disputes("s", disputed, fee, "dp")
    book.imports(paid("s", price), line("CHARGEBACK", -disputed, "dp"), line("FEE", -fee, "dp"))
    assert book.money() == money(bank=price - disputed - fee, suspense=disputed - price)
    book.imports(line("FEE", -4, "dp"), file=OTHER)
    assert book.account("exp.processor") == 4


@figures
def test_6_10_a_fee_is_cleared_once_though_its_payment_is_applied_meanwhile(
    price: int, disputed: int, fee: int, back: int
) -> None:
    book = suspended(price)
    book.disputes("s", disputed, fee, "dp")
    first = fee // 2
    book.imports(paid("s", price), line("CHARGEBACK", -disputed, "dp", fee=first))
    book.publish({**POLICY, "packages": {"small": {"tokens": price, "price": price}}})
    book.happens("release-payment", "fay", payment_ref="s", resolution="APPLY")
    book.imports(line("FEE", first - fee, "dp"), file=OTHER)
    assert book.money() == money(bank=price - disputed - fee)
    book.imports(line("FEE", -9, "dp"), file=THIRD)
    assert book.account("exp.processor") == 9
    assert book.open_breaks() == {}


@figures
@pytest.mark.parametrize("by_payment", [True, False])
def test_6_10_refunds_of_money_in_suspense_and_of_a_purchase(
    price: int, disputed: int, fee: int, back: int, by_payment: bool
) -> None:
    book = suspended(price)
    heard(book, "record-refund", "r1", payment_ref="s", amount=back)
    one, two = ("s", "s") if by_payment else ("r1", "r2")
    book.imports(paid("s", price), line("REFUND", -back, one))
    assert book.open_breaks() == {}
    assert book.money() == money(bank=price - back, suspense=back - price)

    book.publish({**POLICY, "packages": {"small": {"tokens": price, "price": price}}})
    book.happens("release-payment", "fay", payment_ref="s", resolution="APPLY")
    heard(book, "record-refund", "r2", payment_ref="s", amount=1)
    book.imports(line("REFUND", -1, two), file=OTHER)
    assert book.open_breaks() == {}
    assert book.money() == money(bank=price - back - 1)


@figures
@pytest.mark.parametrize("by_payment", [True, False])
def test_6_10_a_refund_that_fails_after_its_line_comes_back_by_another(
    price: int, disputed: int, fee: int, back: int, by_payment: bool
) -> None:
    book = Files(a=price)
    heard(book, "record-refund", "r1", payment_ref="a", amount=back)
    about = "a" if by_payment else "r1"
    book.imports(paid("a", price), line("REFUND", -back, about))
    heard(book, "fail-refund", "f1", refund="r1", reason_code="CLOSED")
    book.imports(line("REFUND", back, about), file=OTHER)
    assert book.open_breaks() == {}
    assert book.money() == money(bank=price)


@figures
def test_6_10_what_was_returned_and_what_bounced_is_a_refund(
    price: int, disputed: int, fee: int, back: int
) -> None:
    book = suspended(price)
    heard(book, "record-refund", "r1", payment_ref="s", amount=back)
    book.happens("release-payment", "fay", payment_ref="s", resolution="RETURN")
    book.suspends("t", price)
    heard(book, "fail-payment", "b1", payment_ref="t", reason_code="RETURNED")
    lines = line("REFUND", -back, "s"), line("REFUND", back - price, "s")
    book.imports(paid("s", price), *lines, paid("t", price), line("REFUND", -price, "t"))
    assert book.open_breaks() == {}
    assert book.money() == money()


@figures
def test_6_10_a_second_payment_under_a_reference_settles_beside_the_first(
    price: int, disputed: int, fee: int, back: int
) -> None:
    book = Files(a=price)
    book.suspends("a", 5)
    book.imports(paid("a", price), paid("a", 5))
    assert book.open_breaks() == {}
    assert book.money() == money(bank=price + 5, suspense=-5)
    book.happens("release-payment", "fay", payment_ref="a", resolution="RETURN")
    book.imports(line("REFUND", -5, "a"), file=OTHER)
    assert book.open_breaks() == {}
    assert book.money() == money(bank=price)


def test_6_10_what_a_processor_refunds_beyond_a_purchase_is_recorded_by_its_payment() -> None:
    book = Files()
    fields = {"user": "ann", "package": "small", "price": 999, "processor_ref": "p"}
    book.happens("record-purchase", **fields, **STRIPE)
    decision: Any = book.decide(
        "record-refund", payment_ref="p", amount=1_049, **STRIPE, processor_ref="r1"
    )
    book.record(*decision.events)
    book.imports(paid("p", 999), line("REFUND", -1_049, "p"))
    assert book.open_breaks() == {}
    assert book.money() == money(bank=-50, suspense=50)


def test_6_8_a_payment_in_another_currency_is_none_of_this_one() -> None:
    book = Files()
    tip = {"user": "ann", "creator": "carl", "funding": "CARD", "amount": 500, "currency": "EUR"}
    decision: Any = book.decide("send-tip", **tip, **STRIPE, processor_ref="e")
    book.record(*decision.events)
    book.imports(paid("e", 540))
    ((code, difference),) = book.open_breaks().values()
    assert (code, difference) == ("MISSING_IN_LEDGER", 540)
    assert book.money() == money(bank=540, suspense=-540)
