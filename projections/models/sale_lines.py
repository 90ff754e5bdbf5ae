"""What a sale brings its creators: as it was sold, and as it stands after refunds and disputes.

A line is what one creator has of it. How a sale stands is a function of its whole record, taken
from the domain's own fold, and a reversal adds the difference of two such lines. So no rounding is
left behind: of a sale that is undone in any number of steps, nothing remains. What was paid for
a sale, its tax and its tokens are divided among several payees as their shares are, by successive
two-way splits.
"""

from collections.abc import Iterator, Sequence

import msgspec

from domain.money import split_by_weight
from domain.payments.payment import DisputeStatus
from domain.reversals.card_sales import reversed_so_far
from domain.reversals.token_sales import still_owned
from domain.sales.sale import CARD, PayeeShare, Sale, SaleRecord


class SaleLine(msgspec.Struct, frozen=True, gc=False):
    """One creator's part of a sale. paid = tax + commission + net; `paid` is after discount."""

    creator: str
    source: str
    count: int
    paid: int
    tax: int
    commission: int
    net: int
    tokens: int


class _Left(msgspec.Struct, frozen=True):
    """What is left of a sale, all payees together; `nets` in their order."""

    paid: int
    tax: int
    tokens: int
    nets: tuple[int, ...]


def as_sold(sale: Sale) -> Sequence[SaleLine]:
    """One line per payee."""
    paid, tokens = sale.gross - sale.discount, sale.tokens_paid + sale.tokens_promo
    shares = tuple(payee.share for payee in sale.payees)
    return list(_divided(sale, _Left(paid, sale.tax, tokens, shares)))


def as_it_stands(record: SaleRecord) -> Sequence[SaleLine]:
    """One line per payee; the sale still counts as one when nothing is left of it."""
    sale = record.sale
    if sale is None:
        return ()
    left = _left_of_card(sale, record) if sale.funding == CARD else _left_of_tokens(sale, record)
    return list(_divided(sale, left))


def revenue_of(record: SaleRecord) -> int:
    """What is left of a sale's price after discount, in minor units, all payees together."""
    sale = record.sale
    if sale is None:
        return 0
    return (_left_of_card if sale.funding == CARD else _left_of_tokens)(sale, record).paid


def spent_on(sale: Sale) -> int:
    """What a sale costs its buyer as it is made, in minor units: after all discounts."""
    return sale.charged if sale.funding == CARD else sale.gross - sale.discount


def spend_of(record: SaleRecord) -> int:
    """The same by now: of a sale by card what the card paid and has not got back, of one in tokens
    what is left of its price."""
    sale = record.sale
    if sale is None:
        return 0
    if sale.funding == CARD:
        lost = record.disputed(DisputeStatus.LOST)
        return max(0, record.by_card - record.refunded - lost - record.bounced)
    return _left_of_tokens(sale, record).paid


def _left_of_card(sale: Sale, record: SaleRecord) -> _Left:
    """What refunds and lost disputes did not take; what is only reserved is not taken."""
    taken = reversed_so_far(record)
    tax = sale.tax - taken.tax
    shares = (payee.share for payee in sale.payees)
    nets = tuple(share - claw for share, claw in zip(shares, taken.clawed, strict=True))
    return _Left(tax + sale.platform_share - taken.platform + sum(nets), tax, 0, nets)


def _left_of_tokens(sale: Sale, record: SaleRecord) -> _Left:
    """What refunds did not return, less the part that lost disputes of purchases took."""
    price, tokens = sale.gross - sale.discount, record.paid
    left = tokens - record.refunded
    paid = split_by_weight(price, left, record.refunded)[0] if tokens else price
    nets = still_owned(record)
    charged = sum(sum(charge.shares) for charge in record.charges)
    if charged:
        owned = sum(nets)
        paid = split_by_weight(paid, owned, charged)[0]
        left = split_by_weight(left, owned, charged)[0]
    return _Left(paid, 0, left, nets)


def _divided(sale: Sale, left: _Left) -> Iterator[SaleLine]:
    """One line per payee; the last one's weight takes what is left."""
    paid, tax, tokens = left.paid, left.tax, left.tokens
    for (payee, share, rest), net in zip(_weights(sale.payees), left.nets, strict=True):
        paid_part, paid = split_by_weight(paid, share, rest)
        tax_part, tax = split_by_weight(tax, share, rest)
        tokens_part, tokens = split_by_weight(tokens, share, rest)
        commission = paid_part - tax_part - net
        yield SaleLine(
            payee.creator, sale.product, 1, paid_part, tax_part, commission, net, tokens_part
        )


def _weights(payees: Sequence[PayeeShare]) -> Iterator[tuple[PayeeShare, int, int]]:
    """Each payee's share and that of those who follow; equal ones where nobody gets anything."""
    shares = [payee.share for payee in payees]
    if not any(shares):
        shares = [1] * len(shares)
    rest = sum(shares)
    for payee, share in zip(payees, shares, strict=True):
        whole, rest = rest, rest - share
        yield payee, (share if whole else 1), rest
