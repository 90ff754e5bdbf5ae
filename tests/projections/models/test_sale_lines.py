"""What creators have of a sale, for every amount, rate, split and order of what is token_refund."""

from collections.abc import Sequence
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from domain.money import split, split_by_weight, vat_included
from domain.reversals.token_sales import token_refund
from domain.sales.amounts import divided
from domain.sales.sale import CARD, TOKEN, PayeeShare, Sale, SaleDispute, SaleRecord
from domain.sales.tips import TipSent
from domain.wallets.wallet import PAID, PROMO, LotUse
from projections.models.sale_lines import SaleLine, as_it_stands, as_sold
from tests.domain.in_memory_book import NOW

amounts = st.integers(1, 10**9)
rates = st.integers(0, 10_000)
weights = st.lists(st.integers(1, 100), min_size=1, max_size=4)


@st.composite
def card_sales(draw: st.DrawFn) -> Sale:
    """A sale by card to some creators."""
    paid, discount = draw(amounts), draw(st.integers(0, 100))
    tax = vat_included(paid, draw(rates))
    share, commission = split(paid - tax, draw(rates))
    payees = [(f"c{n}", weight) for n, weight in enumerate(draw(weights))]
    ours = draw(st.sampled_from([0, 1, paid // 3, paid - 1]))
    return _sale(
        CARD,
        paid + discount,
        discount,
        share,
        commission,
        tax=tax,
        payees=divided(share, payees),
        platform_discount=min(ours, paid - 1),
    )


@st.composite
def token_sales(draw: st.DrawFn) -> Sale:
    """A sale of tokens, paid and promotional, that were bought for something."""
    paid, promo = draw(st.integers(0, 10**6)), draw(st.integers(0, 10**6))
    if not paid + promo:
        paid = 1
    price, unit_value = draw(st.integers(0, 10**6)), draw(st.integers(1, 9))
    share, _ = split((paid + promo) * unit_value, draw(rates))
    part = split_by_weight(share, paid, promo)[0]
    lots = [("a", PROMO, promo, 0), ("b", PAID, paid, price)]
    return _sale(
        TOKEN, (paid + promo) * unit_value, 0, share, price - part,
        tokens_paid=paid, tokens_promo=promo, released=price,
        payees=(PayeeShare("c0", share, part, share - part),),
        lots=tuple(LotUse(lot, lot, kind, n, cost) for lot, kind, n, cost in lots if n),
    )  # fmt: skip


@given(sale=card_sales() | token_sales())
def test_a_sale_stands_as_it_was_sold(sale: Sale) -> None:
    assert list(as_it_stands(sale.in_sale(SaleRecord()))) == list(as_sold(sale))


@given(sale=card_sales(), parts=st.tuples(*[st.fractions(0, 1)] * 3), platform=st.booleans())
def test_a_card_sale_undone_in_steps(
    sale: Sale, parts: tuple[Fraction, ...], platform: bool
) -> None:
    full, whole = sale.gross - sale.discount, sale.charged
    refunded, lost, opened = (int(whole * part) for part in parts)
    bearer = "PLATFORM" if platform else "CREATOR_PROPORTIONAL"
    record = SaleRecord(
        sale=sale,
        refunded=refunded,
        disputes=(
            SaleDispute("d1", lost, bearer, "LOST"),
            SaleDispute("d2", opened, bearer, "OPEN"),
            SaleDispute("d3", whole, bearer, "WON"),
        ),
    )
    lines = as_it_stands(record)
    _adds_up(lines)
    undone_now = min(whole, refunded + lost)
    if not platform:
        assert sum(line.paid for line in lines) == full - undone_now * full // whole
    nothing = as_it_stands(SaleRecord(sale=sale, refunded=whole))
    assert all(line.paid == line.tax == line.commission == line.net == 0 for line in nothing)
    assert [line.count for line in nothing] == [1] * len(sale.payees)


@given(sale=token_sales(), parts=st.lists(st.fractions(0, 1), max_size=3))
def test_a_token_sale_undone_in_steps(sale: Sale, parts: list[Fraction]) -> None:
    record = sale.in_sale(SaleRecord())
    for part in (*parts, Fraction(1)):
        tokens = int((record.paid - record.refunded) * part)
        back = token_refund(record, tokens, "r", NOW)
        returned = {lot.origin: lot.tokens for lot in back.lots}
        record = SaleRecord(
            sale=sale,
            refunded=record.refunded + tokens,
            clawed=tuple(a + b for a, b in zip(record.clawed, back.clawed, strict=True)),
            returned=tuple(
                before + returned.get(use.lot, 0)
                for use, before in zip(sale.lots, record.returned, strict=True)
            ),
        )
        (line,) = as_it_stands(record)
        _adds_up([line])
        assert line.tokens == record.paid - record.refunded
    assert (line.paid, line.commission, line.net, line.tokens) == (0, 0, 0, 0)


def _adds_up(lines: Sequence[SaleLine]) -> None:
    assert lines
    for line in lines:
        assert line.paid == line.tax + line.commission + line.net
        assert line.net >= 0
        assert line.tokens >= 0


def _sale(
    funding: str, gross: int, discount: int, share: int, platform: int, **more: object
) -> Sale:
    fields: dict[str, object] = {"tokens_paid": 0, "tokens_promo": 0, "released": 0, "tax": 0}
    return TipSent(
        sale_id="s",
        buyer="u",
        creator="c0",
        product="tip",
        funding=funding,
        gross=gross,
        discount=discount,
        creator_share=share,
        platform_share=platform,
        **{**fields, **more},  # type: ignore[arg-type]
    )
