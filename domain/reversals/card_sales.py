"""Reversals: what a refund or a dispute takes back from the parties of a sale by card.

Everything is a function of three sums: what was refunded, what was lost in disputes and what is
still disputed. A reversal posts the difference between two values of that function. So notices of
one payment end in the same balances in whatever order they arrive, no share is taken back twice,
and no rounding is lost.
"""

from typing import NamedTuple

import msgspec

from domain.command import Given
from domain.creators.creator import Creator
from domain.money import portion, split_among, split_by_weight
from domain.payments.payment import DisputeBearer, DisputeStatus
from domain.reversals.clawback import Clawback
from domain.sales.sale import Sale, SaleDispute, SaleRecord


class Parts(NamedTuple):
    """What belongs to whom of an amount paid by card; creators in the order of the payees."""

    tax: int
    creators: tuple[int, ...]
    platform: int


class Reversed(NamedTuple):
    """All that was taken back of a sale so far; `excess` is what the platform pays on top.

    `promo` is what the platform had paid of the price and has back, `reserved` what is held back
    from creators for open disputes.
    """

    tax: int
    platform: int
    promo: int
    excess: int
    clawed: tuple[int, ...]
    reserved: tuple[int, ...]

    @property
    def creators(self) -> int:
        """Taken back from all creators together."""
        return sum(self.clawed)


def full_of(sale: Sale, amount: int) -> int:
    """What of the full price is undone once `amount` of what the card paid has gone back.

    The platform's part of the price goes back in proportion, rounded down, and whole with the last
    of the card's.
    """
    if not sale.platform_discount:
        return amount
    return amount + portion(sale.platform_discount, amount, sale.charged)


def parts_of(sale: Sale, amount: int) -> Parts:
    """How the first `amount` minor units of the full price of a sale by card are divided.

    Nested two-way splits by the sale's own amounts: tax and net, then creators and platform, then
    the creators one by one in the order of their ids. Ties go to the creators.
    """
    paid = sale.gross - sale.discount
    net = split_by_weight(amount, paid - sale.tax, sale.tax)[0] if paid else 0
    if paid == sale.tax:
        return Parts(amount, (0,) * len(sale.payees), 0)
    creators, platform = split_by_weight(net, sale.creator_share, sale.platform_share)
    return Parts(amount - net, among_payees(sale, creators), platform)


def among_payees(sale: Sale, amount: int) -> tuple[int, ...]:
    """What each payee bears of the creators' part of a sale, in the order of the payees."""
    payees = sale.payees
    order = sorted(range(len(payees)), key=lambda at: payees[at].creator)
    found = split_among(amount, [payees[at].share for at in order])
    return tuple(part for _, part in sorted(zip(order, found, strict=True)))


def reversed_so_far(record: SaleRecord) -> Reversed:
    """What was taken back of a sale by card, as its refunds and disputes stand.

    Creators bear refunds, what a failed payment took back, and disputes if the dispute's bearer
    says so; tax and commission are given back for all. What goes beyond the sale, or what creators
    need not bear, is the platform's.
    """
    sale = record.sale
    assert sale is not None
    paid, refunded, lost = record.paid, went_back(record), record.disputed(DisputeStatus.LOST)
    borne = refunded + record.disputed(DisputeStatus.LOST, DisputeBearer.CREATOR_PROPORTIONAL)
    disputed = borne + record.disputed(DisputeStatus.OPEN, DisputeBearer.CREATOR_PROPORTIONAL)
    back = min(paid, refunded + lost)
    undone = full_of(sale, back)
    whole = parts_of(sale, undone)
    clawed = parts_of(sale, full_of(sale, min(paid, borne))).creators
    claimed = parts_of(sale, full_of(sale, min(paid, disputed))).creators
    promo = undone - back
    return Reversed(
        tax=whole.tax,
        platform=whole.platform,
        promo=promo,
        excess=refunded + lost + promo - whole.tax - whole.platform - sum(clawed),
        clawed=clawed,
        reserved=tuple(claim - taken for claim, taken in zip(claimed, clawed, strict=True)),
    )


def change(before: Reversed, after: Reversed) -> Reversed:
    """What one standing takes back more than another."""
    return Reversed(
        tax=after.tax - before.tax,
        platform=after.platform - before.platform,
        promo=after.promo - before.promo,
        excess=after.excess - before.excess,
        clawed=_less(after.clawed, before.clawed),
        reserved=_less(after.reserved, before.reserved),
    )


def clawbacks(
    given: Given, sale: Sale, clawed: tuple[int, ...], reserved: tuple[int, ...] = ()
) -> tuple[Clawback, ...]:
    """What is taken from each payee, from the bucket where the sale stands now."""
    found = []
    for nth, payee in enumerate(sale.payees):
        share = clawed[nth]
        held = reserved[nth] if reserved else 0
        if not share and not held:
            continue
        creator = given.state(Creator, payee.creator)
        bucket = creator.bucket(sale.escrowed_at, sale.mature_at)
        found.append(
            Clawback(
                creator=payee.creator,
                share=share,
                reserved=held,
                bucket=bucket,
                mature_at=sale.mature_at,
            )
        )
    return tuple(found)


def is_fully_reversed(record: SaleRecord) -> bool:
    """Whether the buyer has everything back."""
    return went_back(record) + record.disputed(DisputeStatus.LOST) >= record.paid > 0


def went_back(record: SaleRecord) -> int:
    """What refunds gave back to the buyer, or a payment that failed after it had succeeded."""
    return record.refunded + record.bounced


def open_to_refund(record: SaleRecord) -> int:
    """Minor units that refunds can still take of what a card paid, disputes left aside."""
    return record.by_card - record.refunded if record.by_card else 0


def with_dispute(record: SaleRecord, dispute: SaleDispute) -> SaleRecord:
    """The record with a dispute as it is now."""
    others = [one for one in record.disputes if one.dispute != dispute.dispute]
    return msgspec.structs.replace(record, disputes=(*others, dispute))


def undone_of(record: SaleRecord) -> int:
    """How much of the full price is undone by now: what documents of a sale's VAT speak of."""
    assert record.sale is not None
    back = went_back(record) + record.disputed(DisputeStatus.LOST)
    return full_of(record.sale, min(record.paid, back))


def with_refund(record: SaleRecord, cumulative: int) -> SaleRecord:
    """The record once `cumulative` is refunded in all."""
    return msgspec.structs.replace(record, refunded=cumulative)


def _less(after: tuple[int, ...], before: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a - b for a, b in zip(after, before, strict=True))
