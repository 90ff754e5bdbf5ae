"""Refunds of sales in tokens: the tokens come back at once, as if no loss had come before.

Where a part of a purchase was lost that the tokens are of, so many of them are cancelled as they
arrive that everything stands as if they had come back first. What the loss had taken of the sale
from its creators the refund takes now, so nobody pays twice.
"""

import msgspec

from domain.command import Given
from domain.event import Event
from domain.fields import Funding
from domain.purchases.purchase import PurchaseRecord
from domain.refunds.purchase_freezes import with_freezes
from domain.refunds.refund import RefundRecorded
from domain.reversals.card_sales import clawbacks
from domain.reversals.purchase_loss import LossAllocation
from domain.reversals.purchase_loss_events import restated, restatement
from domain.reversals.token_sales import TokenRefund, ends, joining, token_refund
from domain.sales.sale import Charge, Sale, SaleRecord
from domain.wallets.wallet import Wallet, WalletEvent


def refund_of_tokens(
    given: Given,
    record: SaleRecord,
    sale: Sale,
    *,
    amount: int,
    reason: str,
    revoked: tuple[str, ...],
) -> tuple[Event, ...]:
    """The refund of `amount` tokens of a sale, and the losses that stand otherwise by it.

    `revoked`: the items whose entitlement ends if nothing of the sale is left.
    """
    back = token_refund(record, amount, given.new_id, given.now)
    buyer = given.state(Wallet, sale.buyer)
    back = msgspec.structs.replace(back, lots=joining(back.lots, buyer, given.now))
    cumulative = record.refunded + amount
    refund = RefundRecorded(
        refund_id=given.new_id,
        sale_id=sale.sale_id,
        buyer=sale.buyer,
        funding=Funding.TOKEN,
        amount=amount,
        cumulative=cumulative,
        reason=reason,
        released=back.released,
        promo_part=back.promo_part,
        lots=back.lots,
        revoked=revoked if cumulative == record.paid else (),
        on_agenda=bool(ends(sale.buyer, [lot for lot in back.lots if not lot.lapsed])),
    )
    refund = _uncharged(given, sale, refund, back, ())
    wallet = refund.in_wallet(buyer, sale.buyer)
    losses: list[Event] = []
    purchases = dict.fromkeys(use.purchase for use in sale.lots)
    for purchase in given.states_of(PurchaseRecord, purchases).values():
        found = restated(given, purchase, wallet, {sale.sale_id: refund.in_sale(record)})
        if found is None:
            continue
        taken, found = _without(found, sale)
        if any(taken):
            charge = Charge(purchase.purchase_id or "", tuple(-share for share in taken))
            refund = _uncharged(given, sale, refund, back, (*refund.uncharged, charge))
        for event in with_freezes(purchase, wallet, restatement(purchase, found)):
            assert isinstance(event, WalletEvent)
            wallet = event.in_wallet(wallet, sale.buyer)
            losses.append(event)
    return refund, *losses


def _uncharged(
    given: Given,
    sale: Sale,
    refund: RefundRecorded,
    back: TokenRefund,
    uncharged: tuple[Charge, ...],
) -> RefundRecorded:
    """The refund, which takes from the creators only what no loss has taken before."""
    before = (sum(each) for each in zip(*(charge.shares for charge in uncharged), strict=True))
    taken = tuple(before) or (0,) * len(back.clawed)
    clawed = tuple(owed - had for owed, had in zip(back.clawed, taken, strict=True))
    return msgspec.structs.replace(
        refund,
        shares=clawbacks(given, sale, clawed),
        platform_share=back.released + back.promo_part - sum(clawed),
        uncharged=uncharged,
    )


def _without(found: LossAllocation, sale: Sale) -> tuple[tuple[int, ...], LossAllocation]:
    """What the allocation takes of the sale, by payee, and the allocation without it."""
    mine = {
        claw.creator: claw.share
        for claws in found.sales
        for claw in claws
        if claw.sale_id == sale.sale_id
    }
    taken = tuple(mine.get(payee.creator, 0) for payee in sale.payees)
    others = tuple(
        claws for claws in found.sales if all(claw.sale_id != sale.sale_id for claw in claws)
    )
    platform_share = found.platform_share + sum(taken)
    return taken, msgspec.structs.replace(found, sales=others, platform_share=platform_share)
