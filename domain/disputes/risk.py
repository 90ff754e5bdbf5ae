"""Risk: a dispute that is lost marks its buyer, and one that is won after all takes the mark back.

The events say what the buyer has lost in disputes by then, and the wallet keeps it. Whether
anything is frozen for it the policy says; only a person lifts such a freeze.
"""

import msgspec

from domain.command import Given
from domain.controls.freezes import AccountFrozen
from domain.disputes.dispute import DisputeLost, DisputeWon
from domain.event import Event
from domain.fields import FreezeScope, SubjectKind
from domain.wallets.wallet import BuyerRisk, Wallet, WalletEvent

RISK = "RISK"


def with_marks(given: Given, events: tuple[Event, ...]) -> tuple[Event, ...]:
    """`events`, the first end of a dispute marked, then the freeze that the policy wants.

    The parts of one dispute, of several captures of a payment, are one mark.
    """
    lost = [event for event in events if isinstance(event, DisputeLost)]
    won = [event for event in events if isinstance(event, DisputeWon) and event.after_loss]
    ended = lost or won
    if not ended:
        return events
    user = ended[0].user
    wallet = given.state(Wallet, user)
    before = wallet.risk or BuyerRisk(0, 0, given.now)
    if won and not before.disputes:
        return events  # it was lost before buyers were marked
    sign = 1 if lost else -1
    amount = before.amount + sign * sum(event.amount for event in ended)
    last = given.now if lost else before.last
    risk = BuyerRisk(before.disputes + sign, amount, last)
    events = tuple(
        msgspec.structs.replace(event, risk=risk) if event is ended[0] else event
        for event in events
    )
    for event in events:
        if isinstance(event, WalletEvent) and f"wallet:{user}" in event.tags():
            wallet = event.in_wallet(wallet, user)
    if won or FreezeScope.SPEND in wallet.frozen or not _too_much(given, risk):
        return events
    freeze = AccountFrozen(
        subject=user, kind=SubjectKind.WALLET, scope=FreezeScope.SPEND, reason=RISK
    )
    return (*events, freeze)


def _too_much(given: Given, risk: BuyerRisk) -> bool:
    """Whether the policy freezes a buyer with so many lost disputes, or for so much."""
    rule = None if given.policy is None else given.policy.policy.risk
    if rule is None:
        return False
    disputes, amount = rule.freeze_after_disputes, rule.freeze_after_amount
    return (disputes is not None and risk.disputes >= disputes) or (
        amount is not None and risk.amount >= amount
    )
