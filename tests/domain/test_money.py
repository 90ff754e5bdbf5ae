"""Integer money: what is divided adds up again, and grows together, for every number."""

from fractions import Fraction
from math import floor

from hypothesis import given
from hypothesis import strategies as st

from domain.money import (
    AMOUNT_MAX,
    BPS,
    block_cost,
    half_up,
    portion,
    split,
    split_by_weight,
    vat_included,
)

amounts = st.integers(0, AMOUNT_MAX)
rates = st.integers(0, BPS)


def rounded_half_up(value: Fraction) -> int:
    """The definition, in exact fractions."""
    return floor(value + Fraction(1, 2))


@given(amounts, rates)
def test_a_split_adds_up_and_is_the_nearest_whole(total: int, bps: int) -> None:
    creator, platform = split(total, bps)
    assert creator + platform == total
    assert min(creator, platform) >= 0
    assert creator == rounded_half_up(Fraction(total * bps, BPS))


@given(amounts, amounts, rates)
def test_neither_part_falls_as_the_total_grows(one: int, other: int, bps: int) -> None:
    less, more = sorted((one, other))
    assert all(a <= b for a, b in zip(split(less, bps), split(more, bps), strict=True))


def test_a_tie_goes_to_the_creator() -> None:
    assert split(1, 5_000) == (1, 0)
    assert split(99, 8_000) == (79, 20)
    assert split(4_999, 7_000) == (3_499, 1_500)


@given(amounts, st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_split_by_weight_adds_up(total: int, first: int, second: int) -> None:
    if first + second:
        one, other = split_by_weight(total, first, second)
        assert one + other == total
        assert one == rounded_half_up(Fraction(total * first, first + second))


@given(amounts, rates)
def test_fees_are_rounded_half_up(amount: int, bps: int) -> None:
    assert half_up(amount, bps) == rounded_half_up(Fraction(amount * bps, BPS))


def test_the_quoted_payout_fees() -> None:
    assert [half_up(gross, 250) for gross in (5_000, 10_010, 10_020)] == [125, 250, 251]


@given(amounts, rates)
def test_vat_is_contained_in_the_gross(gross: int, bps: int) -> None:
    tax = vat_included(gross, bps)
    assert tax == rounded_half_up(Fraction(gross * bps, BPS + bps))
    assert 0 <= tax <= gross


@given(amounts, amounts, rates, rates)
def test_a_nested_split_adds_up_and_no_share_ever_falls(
    one: int, other: int, vat: int, share: int
) -> None:
    def nested(gross: int) -> tuple[int, int, int]:
        tax = vat_included(gross, vat)
        return (tax, *split(gross - tax, share))

    less, more = sorted((one, other))
    assert sum(nested(less)) == less
    assert all(a <= b for a, b in zip(nested(less), nested(more), strict=True))


def test_the_vat_of_the_booked_session() -> None:
    assert vat_included(10_000, 2_000) == 1_667
    assert split(10_000 - 1_667, 7_000) == (5_833, 2_500)


@given(amounts, st.lists(st.integers(1, 1_000), min_size=1, max_size=20))
def test_portions_taken_one_after_another_make_the_whole_price(
    price: int, takes: list[int]
) -> None:
    whole, consumed, released = sum(takes), 0, 0
    for taken in takes:
        part = portion(price, consumed + taken, whole) - portion(price, consumed, whole)
        assert part >= 0
        consumed, released = consumed + taken, released + part
    assert released == price


@given(st.integers(1, 10**6), st.integers(1, 10_000))
def test_a_block_is_rounded_up_in_integers(rate: int, seconds: int) -> None:
    exact = Fraction(rate * seconds, 60)
    assert 0 <= block_cost(rate, seconds) - exact < 1


def test_blocks_that_floats_got_wrong() -> None:
    assert [block_cost(rate, 30) for rate in (62, 1, 25)] == [31, 1, 13]
