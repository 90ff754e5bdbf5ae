"""What the dispute of a purchase of tokens does: unspent tokens pay first, then who bears the rest.

Under PLATFORM the buyer owes what was spent. Under CREATOR_PROPORTIONAL the sales that the
purchase's tokens paid are undone: the creators' paid parts, then the platform's margin. A dispute
of a part of the price takes that part of everything, cumulatively, and the margin what rounding
leaves. What no sale accounts for (usage, breakage, tokens in other holds) the buyer owes.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from domain.clawback import Clawback
from domain.command import Given
from domain.creator import Creator
from domain.disputes import DisputeLost, DisputeOpened, DisputeRecord, DisputeWon, common, on_agenda
from domain.event import Event
from domain.freezes import AccountFrozen
from domain.invoices import Document, credit_note, invoice
from domain.money import split_among, split_by_weight
from domain.purchase import PurchaseRecord
from domain.returned import returned_lot, still_owned
from domain.reversal import CREATOR_PROPORTIONAL, LOST, OPEN
from domain.sale import SaleRecord
from domain.trail import Paid, Trail, paid_by
from domain.wallet import PAID, PROMO, Lot, LotUse, Wallet

SALES_PER_PART = 100
"""Sales in one event: more would not fit into an entry."""


def held_for(record: PurchaseRecord, wallet: Wallet, amount: int) -> tuple[LotUse, ...]:
    """The unspent tokens, bonus included, that a new dispute of `amount` holds.

    As much of them as is disputed of the price by now, rounded down; the last in the spending
    order first.
    """
    active = record.in_state(OPEN, LOST)
    disputed = record.settled + sum(one.amount for one in record.in_state(OPEN)) + amount
    part = min(record.refundable, disputed)
    uses: list[LotUse] = []
    for kind in (PAID, PROMO):
        lots = [lot for lot in _lots(record, wallet) if lot.kind == kind]
        free = sum(lot.free for lot in lots)
        before = sum(one.paid if kind == PAID else one.promo for one in active)
        whole = (free + before) * part // record.refundable if record.refundable else 0
        uses += _taken(lots, min(free, max(0, whole - before)))
    return tuple(uses)


def lost_on(
    given: Given, record: PurchaseRecord, wallet: Wallet, dispute: DisputeOpened
) -> tuple[Event, ...]:
    """The loss in parts, the freeze of the wallet, and the credit note."""
    before = record.settled
    settled = min(dispute.amount, max(0, record.refundable - before))
    tax = _tax(record, settled)
    lots = tuple(_priced(wallet, use) for use in dispute.lots)
    released = sum(use.released for use in lots)
    rest = settled - tax - released
    shares: list[tuple[Clawback, ...]] = []
    debt = rest
    if dispute.bearer == CREATOR_PROPORTIONAL:
        trail = given.state(Trail, f"{record.user}:{record.purchase_id}")
        paid = [paid_by(record.purchase_id or "", each) for each in trail.sales().values()]
        debt = _untraced(record, wallet, paid, before + settled)
        shares = _undone(given, paid, before + settled, record.refundable)
    taken = sum(claw.share for sale in shares for claw in sale)
    parts = list(_chunks(shares))
    later = [sum(claw.share for claw in part) for part in parts[1:]]
    first = DisputeLost(
        **{**common(dispute), "amount": dispute.amount - sum(later)},
        parts=max(1, len(parts)),
        shares=parts[0] if parts else (),
        platform_share=rest - taken - debt,
        tax=tax,
        country=record.country,
        released=released,
        debt=debt,
        excess=dispute.amount - settled,
        lots=lots,
    )
    others = [
        DisputeLost(
            **{**common(dispute), "amount": amount}, part=nth, parts=len(parts), shares=part
        )
        for nth, (part, amount) in enumerate(zip(parts[1:], later, strict=True), 2)
    ]
    document = _document(record, net=settled - tax, vat=tax)
    note = credit_note(given, document, dispute.dispute_id)
    return first, *others, *_frozen(record, wallet), *note


def won_on(
    given: Given, record: PurchaseRecord, dispute: DisputeRecord, opened: DisputeOpened
) -> tuple[Event, ...]:
    """The win: held tokens are free; after a loss, every part of it goes back."""
    fee = opened.fee if opened.fee_refundable else 0
    if not dispute.lost:
        return (on_agenda(DisputeWon(**common(opened), fee=fee, lots=opened.lots)),)
    won = []
    for nth, lost in enumerate(dispute.lost):
        restored = (
            returned_lot(use, opened.dispute_id, at, tokens=use.tokens, price=use.released)
            for at, use in enumerate(lost.lots)
        )
        won.append(
            DisputeWon(
                **{**common(opened), "amount": lost.amount},
                fee=0 if nth else fee,
                part=lost.part,
                parts=lost.parts,
                shares=_given_back(given, lost.shares),
                platform_share=-lost.platform_share,
                tax=-lost.tax,
                country=lost.country,
                released=-lost.released,
                debt=-lost.debt,
                excess=-lost.excess,
                after_loss=True,
                restored=tuple(restored),
            )
        )
    (known,) = (one for one in record.disputes if one.dispute == opened.dispute_id)
    document = _document(record, net=known.settled - known.tax, vat=known.tax)
    return *map(on_agenda, won), *invoice(given, document)


def _lots(record: PurchaseRecord, wallet: Wallet) -> list[Lot]:
    """The purchase's lots with anything left, in the spending order."""
    return [lot for lot in wallet.lots if lot.purchase == record.purchase_id]


def _taken(lots: list[Lot], tokens: int) -> Iterator[LotUse]:
    """`tokens` out of `lots`, from the last."""
    for lot in reversed(lots):
        taken = min(tokens, lot.free)
        if taken:
            tokens -= taken
            yield LotUse(lot.lot, lot.purchase, lot.kind, taken, 0, lot.expires_at)


def _priced(wallet: Wallet, use: LotUse) -> LotUse:
    """A held part of a lot with what its tokens release of the lot's price."""
    lot = wallet.lot(use.lot)
    assert lot is not None
    return msgspec.structs.replace(use, released=lot.released(use.tokens))


def _tax(record: PurchaseRecord, settled: int) -> int:
    """The VAT in the next `settled` minor units of the price."""
    lost = sum(one.tax for one in record.disputes)
    taken = record.refunded + record.settled + settled
    cumulative = split_by_weight(taken, record.net, record.tax)[1]
    return min(settled, max(0, cumulative - record.refunded_tax - lost))


def _untraced(record: PurchaseRecord, wallet: Wallet, paid: list[Paid], settled: int) -> int:
    """What the buyer owes of what neither is unspent nor was paid to anybody by a sale."""
    unspent = sum(lot.released(lot.left) for lot in _lots(record, wallet))
    cancelled = sum(one.net for one in record.disputes)
    refunded = record.refunded - record.refunded_tax
    whole = record.net - refunded - unspent - cancelled - sum(each.released for each in paid)
    part = _part(max(0, whole), settled, record.refundable)
    return part - sum(one.debt for one in record.in_state(LOST))


def _undone(given: Given, paid: list[Paid], settled: int, whole: int) -> list[tuple[Clawback, ...]]:
    """What is taken of every sale, so that `settled` of `whole` is undone of all paid parts.

    A sale of which nothing is taken is named all the same: its tokens were paid back.
    """
    weights = [part for each in paid for part in each.parts]
    parts = iter(split_among(_part(sum(weights), settled, whole), weights))
    payees = {
        payee.creator for each in paid if each.record.sale for payee in each.record.sale.payees
    }
    creators = given.states_of(Creator, sorted(payees))
    found = []
    for each in paid:
        sale = each.record.sale
        assert sale is not None
        owned = still_owned(each.record)
        claws = []
        for nth, payee in enumerate(sale.payees):
            creator = creators[payee.creator]
            claw = Clawback(
                creator=payee.creator,
                share=max(0, min(owned[nth], next(parts) - each.charged[nth])),
                bucket=creator.bucket(sale.escrowed_at, sale.mature_at),
                mature_at=sale.mature_at,
                sale_id=sale.sale_id,
            )
            claws.append(claw)
        found.append(tuple(claws))
    return found


def _given_back(given: Given, shares: tuple[Clawback, ...]) -> tuple[Clawback, ...]:
    """The shares of a loss the other way, into the bucket where each sale stands now."""
    sales = given.states_of(SaleRecord, dict.fromkeys(claw.sale_id or "" for claw in shares))
    creators = given.states_of(Creator, dict.fromkeys(claw.creator for claw in shares))
    back = []
    for claw in shares:
        sale = sales[claw.sale_id or ""].sale
        assert sale is not None
        bucket = creators[claw.creator].bucket(sale.escrowed_at, sale.mature_at)
        back.append(msgspec.structs.replace(claw, share=-claw.share, bucket=bucket))
    return tuple(back)


def _part(amount: int, settled: int, whole: int) -> int:
    """Of `amount`, what belongs to `settled` of `whole`."""
    return split_by_weight(amount, settled, whole - settled)[0] if whole else 0


def _chunks(sales: Iterable[tuple[Clawback, ...]]) -> Iterator[tuple[Clawback, ...]]:
    """The clawbacks of so many sales each as fit into one event."""
    left = iter(sales)
    while chunk := tuple(islice(left, SALES_PER_PART)):
        yield tuple(claw for sale in chunk for claw in sale)


def _frozen(record: PurchaseRecord, wallet: Wallet) -> tuple[AccountFrozen, ...]:
    """The wallet may not spend until a person has looked at it."""
    if "SPEND" in wallet.frozen:
        return ()
    return (
        AccountFrozen(subject=record.user, kind="wallet", scope="SPEND", reason="DISPUTE_LOST"),
    )


def _document(record: PurchaseRecord, *, net: int, vat: int) -> Document:
    return Document(
        country=record.country,
        net=net,
        vat=vat,
        rate=record.vat_bps,
        purchase_id=record.purchase_id,
    )
