"""Amounts are printed and read with the currency's own decimals, exactly."""

from decimal import Decimal
from io import StringIO

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from api.currencies import NotAnAmount, Notation, exponent, figure, money
from api.simulation.driver import Tallies
from api.simulation.figures import Picture, _TrialBalance
from api.simulation.report import summary
from projections.verify import Verification

CURRENCIES = st.sampled_from(["USD", "EUR", "JPY", "KWD", "CLF"])
NOTATIONS = st.sampled_from(
    [
        Notation(),
        Notation(".", ","),
        Notation(",", "."),
        Notation(",", "\u00a0"),
        Notation(".", "'"),
    ]
)


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (1_234_567, "USD", "12,345.67 USD"),
        (-5, "USD", "-0.05 USD"),
        (1_234_567, "JPY", "1,234,567 JPY"),
        (-1, "JPY", "-1 JPY"),
        (1_234_567, "KWD", "1,234.567 KWD"),
        (5, "KWD", "0.005 KWD"),
        (12_345, "CLF", "1.2345 CLF"),
        (0, "KWD", "0.000 KWD"),
    ],
)
def test_money_has_its_currencys_decimals(minor: int, currency: str, shown: str) -> None:
    assert money(minor, currency) == shown


@given(minor=st.integers(-(10**15), 10**15), currency=CURRENCIES, notation=NOTATIONS)
def test_what_is_printed_is_read_back_exactly(
    minor: int, currency: str, notation: Notation
) -> None:
    swap = {",": notation.thousands, ".": notation.decimal}
    written = "".join(swap.get(sign, sign) for sign in figure(minor, currency))
    assert notation.units(written, exponent(currency), of=currency) == minor


@given(
    amount=st.decimals(-(10**9), 10**9, places=5, allow_nan=False, allow_infinity=False),
    currency=CURRENCIES,
)
def test_decimals_become_minor_units_or_a_complaint_never_a_rounded_figure(
    amount: Decimal, currency: str
) -> None:
    exact = amount.scaleb(exponent(currency))
    if exact == exact.to_integral_value():
        assert Notation().units(f"{amount:f}", exponent(currency), of=currency) == int(exact)
    else:
        with pytest.raises(NotAnAmount, match="decimals"):
            Notation().units(f"{amount:f}", exponent(currency), of=currency)


@pytest.mark.parametrize(
    ("notation", "text", "said"),
    [
        (Notation(), "12,34", "say --decimal ','"),
        (Notation(), "1.234,56", "--decimal ',' --thousands '.'"),
        (Notation(), "1,234.56", "--thousands ','"),
        (Notation(), "1 234.56", "--thousands ' '"),
        (Notation(",", "."), "12.34", "--decimal '.'"),
        (Notation(".", ","), "12,34", "say --decimal ','"),
        (Notation(), "(5.00)", "negative = 'parentheses'"),
        (Notation(), "5.00-", "negative = 'trailing'"),
        (Notation(), "5.00 USD", "is not an amount like 1234.56"),
        (Notation(), "", "is empty"),
        (Notation(), "1e3", "is not an amount"),
        (Notation(), "NaN", "is not an amount"),
        (Notation(), "٣", "is not an amount"),
        (Notation(), "9" * 40, "over 30 characters"),
        (Notation(), "1.005", "has 3 decimals; USD has at most 2 decimals"),
    ],
)
def test_what_is_no_amount_says_what_was_seen_and_what_to_say(
    notation: Notation, text: str, said: str
) -> None:
    with pytest.raises(NotAnAmount) as complaint:
        notation.units(text, 2, of="USD")
    assert said in str(complaint.value)


def test_signs_stand_where_the_file_puts_them() -> None:
    assert Notation(negative="parentheses").units("(5.00)", 2, of="USD") == -500
    assert Notation(negative="trailing").units("5.00-", 2, of="USD") == -500
    assert Notation(".", ",").units("+1,234,567.8", 2, of="USD") == 123_456_780
    assert Notation().units("7.50000", 2, of="USD") == 750


@pytest.mark.parametrize(
    ("currency", "deferred", "owed"),
    [("JPY", "700,123 JPY", "319 JPY"), ("KWD", "700.123 KWD", "0.319 KWD")],
)
def test_a_days_report_divides_by_the_books_own_currency(
    currency: str, deferred: str, owed: str
) -> None:
    rows = [
        {"account": "cash.psp", "asset": currency, "debit": 700_442, "credit": 0},
        {"account": "deferred", "asset": currency, "debit": 0, "credit": 700_123},
        {"account": "cr.zoe.available", "asset": currency, "debit": 0, "credit": 319},
    ]
    totals = [{"asset": currency, "debit": 700_442, "credit": 700_442}]
    consistent = {"ok": True, "tie_outs": [], "wallets_differing": 0, "creators_differing": 0}
    seen = Picture("shop", balance_of(rows, totals), consistency=consistent)
    text = StringIO()
    Console(file=text, width=200).print(
        summary(Tallies(), seen, currency, Verification(head=0, projections=(), differences=()))
    )
    assert deferred in text.getvalue() and owed in text.getvalue()
    assert figure(700_442, currency) in text.getvalue()


def balance_of(rows: list[dict[str, object]], totals: list[dict[str, object]]) -> _TrialBalance:
    document = {"rows": rows, "totals": totals, "as_of_position": 1}
    return msgspec.convert(document, _TrialBalance)
