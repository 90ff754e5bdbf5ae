"""What is lost of a purchase of tokens, and who bears it: unspent tokens first, then the bearer.

A bank (a lost dispute) or a processor (a refund or a bounced payment) took a part of the price
back. All that this takes is a function of few sums: how much of the price is lost, what is left of
the tokens, and what the others paid for. A command posts the difference between two values of that
function, so neither the order of notices matters nor whether tokens came back before or after.

Of every part of the purchase the lost part is taken: of its tax; of unspent tokens, in whole
tokens; of what was deducted for a bonus that came back unspent. For the rest, under PLATFORM,
breakage is undone before the buyer owes anything. Under CREATOR_PROPORTIONAL the sales that the
tokens paid are undone, the creators' paid parts to the cent and the margin with what rounding to
whole tokens leaves; of what no sale accounts for (usage, tokens in holds) breakage is undone and
the buyer owes the rest.
"""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import islice
from math import floor
from typing import Any

import msgspec

from domain.command import Given
from domain.creators.creator import Creator
from domain.money import portion, split_among
from domain.payments.payment import DisputeBearer
from domain.purchases.disputed_lots import (
    LotMovements,
    Targets,
    lot_movements,
    priced,
)
from domain.purchases.purchase import PurchaseRecord
from domain.reversals.clawback import Clawback
from domain.reversals.purchase_usage import Paid, PurchaseUsage, bonus_spent, paid_by
from domain.sales.sale import SaleRecord
from domain.wallets.wallet import Lot, TokenClass, Wallet

#: Sales in one event; an entry has to have room for a hundred cancelled lots beside them.
SALES_PER_PART = 60

Claws = tuple[Clawback, ...]


class Spent(msgspec.Struct, frozen=True):
    """What became of a purchase's tokens that are not unspent."""

    #: What they pay of sales.
    paid: tuple[Paid, ...] = ()
    #: Minor units of its price that lapsed; bonus tokens that were used.
    lapsed: int = 0
    bonus: int = 0

    @property
    def released(self) -> int:
        """What they released of its price for sales."""
        return sum(each.released for each in self.paid)


class LossAllocation(msgspec.Struct, frozen=True):
    """What a change of what is lost takes, or with negative amounts gives back."""

    movements: LotMovements
    amount: int = 0
    excess: int = 0
    tax: int = 0
    released: int = 0
    promo: int = 0
    breakage: int = 0
    debt: int = 0
    #: What of a debt that ends people had written off.
    recovered: int = 0
    platform_share: int = 0
    sales: tuple[Claws, ...] = ()
    #: What of it a failed payment had taken already.
    bounced: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all changes."""
        return self.movements == LotMovements() and not (
            self.amount or self.excess or self.sales or self.debt or self.breakage or self.promo
        )

    def parts(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """What the sales of each part after the first bear, and the fields of the part.

        The first has everything but the shares of the later sales.
        """
        chunks = list(_chunks(self.sales)) or [()]
        for nth, chunk in enumerate(chunks):
            own = sum(claw.share for claw in chunk) if nth else 0
            yield own, {"part": nth + 1, "parts": len(chunks), "shares": chunk, **self._sums(nth)}

    def _sums(self, nth: int) -> dict[str, Any]:
        if nth:
            return {}
        moved = self.movements
        return {
            "platform_share": self.platform_share,
            "tax": self.tax,
            "released": self.released,
            "debt": self.debt,
            "recovered": self.recovered,
            "excess": self.excess,
            "breakage": self.breakage,
            "promo": self.promo,
            "bounced": self.bounced,
            "repriced": moved.repriced,
        }


def spent_of(
    given: Given,
    record: PurchaseRecord,
    wallet: Wallet,
    later: Mapping[str, SaleRecord] | None = None,
) -> Spent:
    """What the tokens of a purchase were spent for; `later` are sales as they stand after this.

    Only what the bearer's rule asks for is looked at.
    """
    traced = record.bearer == DisputeBearer.CREATOR_PROPORTIONAL
    if not (traced or record.lapses or record.bonus):
        return Spent()
    usage = given.state(PurchaseUsage, f"{record.user}:{record.purchase_id}")
    purchase = record.purchase_id or ""
    sales = {**usage.sales(), **(later or {})}
    paid = tuple(paid_by(purchase, each) for each in sales.values()) if traced else ()
    bonus = bonus_spent(purchase, usage, sales) + bonus_in_holds(record, wallet)
    return Spent(paid, usage.lapsed, bonus)


def bonus_in_holds(record: PurchaseRecord, wallet: Wallet) -> int:
    """Bonus tokens of the purchase in holds: whoever set them aside may use them yet, so refunds
    deduct them like spent ones, and give that back once they are free again.
    """
    promo = (lot for lot in lots_of(record, wallet) if lot.kind == TokenClass.PROMO)
    return sum(lot.held - record.held.get(lot.lot, 0) for lot in promo)


def allocation(
    given: Given,
    record: PurchaseRecord,
    after: PurchaseRecord,
    wallet: Wallet,
    later: Mapping[str, SaleRecord] | None = None,
) -> LossAllocation:
    """What changes when what is disputed and lost of the purchase is as in `after`.

    `wallet` and `later` are the wallet and sales as they are then, but for what this does to them.
    """
    moved = movements(record, after, wallet)
    lots = lots_of(record, wallet)
    lost, tax = after.lost_amount, after.tax_to_lose
    moved, worth = priced(
        lots, record.cancelled, moved, worth=record.lost_net, limit=max(0, lost - tax)
    )
    spent = spent_of(given, after, wallet, later)
    unspent = _unspent(record, lots)
    part = _part_of_the_rest(after, unspent, worth)
    returned_bonus = after.deducted - deducted_for(after, spent.bonus)
    rest = lost - tax - worth
    sales: tuple[Claws, ...] = ()
    if after.bearer == DisputeBearer.CREATOR_PROPORTIONAL:
        promo = _part(returned_bonus, part)
        owed = _part(_untraced(after, unspent, spent) - returned_bonus, part)
        breakage = min(spent.lapsed, owed)
        debt = owed - breakage
        sales = tuple(each for each in _undone(given, spent.paid, part) if each)
    else:
        promo = min(returned_bonus, rest)
        breakage = min(spent.lapsed, rest - promo)
        debt = rest - promo - breakage
    amount = lost - record.lost_amount
    found = {
        "tax": tax - record.lost_tax,
        "released": worth - record.lost_net,
        "promo": promo - record.lost_promo,
        "breakage": breakage - record.lost_breakage,
        "debt": debt - record.debt,
    }
    claimed = sum(claw.share for sale in sales for claw in sale)
    return LossAllocation(
        movements=moved,
        amount=amount,
        excess=after.excess - record.excess,
        bounced=record.bounced - after.bounced,
        platform_share=amount - sum(found.values()) - claimed,
        recovered=wallet.recovered(record.purchase_id, found["debt"]),
        sales=sales,
        **found,
    )


def movements(record: PurchaseRecord, after: PurchaseRecord, wallet: Wallet) -> LotMovements:
    """What becomes of the unspent tokens when what is disputed and lost is as in `after`."""
    targets = Targets(after.part(after.contested), after.part(after.lost_amount))
    return lot_movements(
        lots_of(record, wallet),
        record.held,
        record.cancelled,
        targets,
        frees=after.contested < record.contested,
        restores=after.lost_amount < record.lost_amount,
    )


def rounding_in_margin(given: Given, record: PurchaseRecord, wallet: Wallet) -> int:
    """What the margin has borne because only whole tokens are cancelled."""
    lost = record.lost_amount
    if not lost or record.bearer != DisputeBearer.CREATOR_PROPORTIONAL:
        return 0
    spent, unspent = spent_of(given, record, wallet), _unspent(record, lots_of(record, wallet))
    part = _part_of_the_rest(record, unspent, record.lost_net)
    borne = record.lost_tax + record.lost_net + record.lost_promo + record.lost_breakage
    borne += record.debt + _part(spent.released, part)
    return max(0, lost - borne)


def deducted_for(record: PurchaseRecord, bonus: int) -> int:
    """Of what refunds deducted for spent bonus tokens, what `bonus` spent ones account for."""
    if bonus >= record.bonus_deducted:
        return record.deducted
    return record.deducted * bonus // record.bonus_deducted


def lots_of(record: PurchaseRecord, wallet: Wallet) -> list[Lot]:
    """The purchase's lots with anything left, in the spending order."""
    return [lot for lot in wallet.lots if lot.purchase == record.purchase_id]


def _unspent(record: PurchaseRecord, lots: list[Lot]) -> int:
    """What all tokens of the purchase are worth that are free or cancelled, or held by disputes."""
    paid = [lot for lot in lots if lot.kind == TokenClass.PAID]
    gone = sum(lot.tokens for lot in record.cancelled if lot.kind == TokenClass.PAID)
    left = gone + sum(lot.left for lot in paid)
    worth = record.lost_net + sum(lot.released(lot.left) for lot in paid)
    pool = gone + sum(lot.free + record.held.get(lot.lot, 0) for lot in paid)
    return portion(worth, pool, left) if left else worth


def _part_of_the_rest(record: PurchaseRecord, unspent: int, worth: int) -> Fraction:
    """Which part is lost of all that its tokens were spent for; `worth` of them are cancelled.

    The same part as of the whole, unless more tokens are cancelled: because what was left of them
    has been spent or refunded since.
    """
    whole, part = record.net_left, record.part(record.lost_amount)
    if whole <= unspent:
        return Fraction(0)
    taken = max(Fraction(worth), unspent * part)
    return max(Fraction(0), (whole * part - taken) / (whole - unspent))


def _untraced(record: PurchaseRecord, unspent: int, spent: Spent) -> int:
    """What neither is unspent nor was paid to anybody by a sale, of what no refund sent back."""
    return max(0, record.net_left - unspent - spent.released)


def _undone(given: Given, paid: Iterable[Paid], part: Fraction) -> Iterator[Claws]:
    """What is taken of every sale, so that the part of the price that is lost is undone of all."""
    weights = [share for each in paid for share in each.parts]
    parts = iter(split_among(_part(sum(weights), part), weights))
    payees = {
        payee.creator for each in paid if each.record.sale for payee in each.record.sale.payees
    }
    creators = given.states_of(Creator, sorted(payees))
    for each in paid:
        sale = each.record.sale
        assert sale is not None
        claws = []
        for payee, charged in zip(sale.payees, each.charged, strict=True):
            share = next(parts) - charged
            if share:
                bucket = creators[payee.creator].bucket(sale.escrowed_at, sale.mature_at)
                claws.append(
                    Clawback(
                        creator=payee.creator,
                        share=share,
                        bucket=bucket,
                        mature_at=sale.mature_at,
                        sale_id=sale.sale_id,
                    )
                )
        yield tuple(claws)


def _part(amount: int, part: Fraction) -> int:
    """A part of an amount, rounded half up."""
    return floor(amount * part + Fraction(1, 2))


def _chunks(sales: Iterable[Claws]) -> Iterator[Claws]:
    """The clawbacks of so many sales each as fit into one event."""
    left = iter(sales)
    while chunk := tuple(islice(left, SALES_PER_PART)):
        yield tuple(claw for sale in chunk for claw in sale)
