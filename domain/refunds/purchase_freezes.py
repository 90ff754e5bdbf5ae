"""The freezes of a wallet that the loss of a purchase makes and ends.

A lost dispute freezes spending until it is won, or a person lifts the freeze. What a processor
takes back without a dispute freezes it only where the buyer owes something for it, and as long.
"""

from collections.abc import Iterator
from typing import Any

from domain.controls.freezes import AccountFrozen, AccountUnfrozen
from domain.event import Event
from domain.fields import FreezeScope, SubjectKind
from domain.payments.payment import DisputeStatus
from domain.purchases.purchase import PurchaseRecord
from domain.wallets.wallet import Wallet, WalletEvent

DISPUTE_LOST = "DISPUTE_LOST"
TAKEN_BACK = "TAKEN_BACK"


def with_freezes(
    record: PurchaseRecord, wallet: Wallet, events: tuple[Event, ...], *, lost: bool = False
) -> tuple[Event, ...]:
    """`events`, then what they make of the freezes for this purchase.

    `record` and `wallet` are as they were before; `lost`: a dispute is lost by it.
    """
    for event in events:
        if isinstance(event, WalletEvent) and f"wallet:{record.user}" in event.tags():
            wallet = event.in_wallet(wallet, record.user)
        if f"purchase:{record.purchase_id}" in event.tags():
            record = record.apply(f"purchase:{record.purchase_id}", event)
    return *events, *_freezes(record, wallet, lost=lost)


def _freezes(record: PurchaseRecord, wallet: Wallet, *, lost: bool) -> Iterator[Event]:
    owes = record.debt > 0
    taken = bool(record.taken or record.failed)
    wanted = {
        DISPUTE_LOST: lost or None if record.disputed(DisputeStatus.LOST) else False,
        TAKEN_BACK: owes and taken,
    }
    causes = wallet.frozen_for
    for reason, frozen in wanted.items():
        cause = f"{reason}:{record.purchase_id}"
        if frozen and cause not in causes:
            causes = (*causes, cause)
            yield AccountFrozen(**_fields(record, reason))
        elif frozen is False and cause in causes:
            causes = tuple(one for one in causes if one != cause)
            yield AccountUnfrozen(**_fields(record, reason), remains=bool(causes))


def _fields(record: PurchaseRecord, reason: str) -> dict[str, Any]:
    return {
        "subject": record.user,
        "kind": SubjectKind.WALLET,
        "scope": FreezeScope.SPEND,
        "reason": reason,
        "purchase": record.purchase_id or "",
    }
