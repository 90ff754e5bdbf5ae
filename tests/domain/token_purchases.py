"""Purchases of tokens, what is spent of them, and what must hold whatever is disputed."""

from typing import Any

from domain.controls.adjustments import AdjustmentProposed
from domain.purchases.purchase import TokensPurchased
from domain.reversals.clawback import Reversal
from domain.sales.sale import Sale
from domain.wallets.wallet import Wallet
from tests.domain.books import balances, deferred_of_lots
from tests.domain.in_memory_book import InMemoryBook
from tests.scenarios.policies import LIVE_CALL, MICRO_UNLOCK
from tests.scenarios.steps_disputes import disputed

BEARERS = ["CREATOR_PROPORTIONAL", "PLATFORM"]


def live(bearer: str) -> InMemoryBook:
    return InMemoryBook({**LIVE_CALL, "dispute_bearer": bearer})


def credits(bearer: str, tokens: int, price: int, bonus: int = 0, **policy: Any) -> InMemoryBook:
    package = {"tokens": tokens, "bonus": bonus, "price": price}
    return InMemoryBook(
        {**MICRO_UNLOCK, "packages": {"p": package}, "dispute_bearer": bearer, **policy}
    )


def bought(place: InMemoryBook, package: str, price: int, ref: str = "p1", **more: Any) -> str:
    fields: dict[str, Any] = {"package": package, "price": price, "processor": "stripe", **more}
    event = place.happens("record-purchase", user="ann", processor_ref=ref, **fields)[0]
    assert isinstance(event, TokensPurchased)
    return event.purchase_id


def tipped(place: InMemoryBook, tokens: int, creator: str = "carl") -> Sale:
    fields = {"user": "ann", "creator": creator, "funding": "TOKEN"}
    (sale,) = place.happens("send-tip", amount=tokens, **fields)
    assert isinstance(sale, Sale)
    return sale


def opened(amount: int, ref: str = "d1", payment: str = "p1", fee: int = 0) -> dict[str, Any]:
    """The fields of a dispute of the first purchase."""
    return disputed(amount, ref, fee, payment_ref=payment).fields


def written_off(place: InMemoryBook, amount: int) -> None:
    """Fay and Bob write off so much of what Ann owes; negative, she owes it again after all."""
    adjusted(place, ["exp.baddebt", "USD", amount], ["fan_debt.ann", "USD", -amount])


def adjusted(place: InMemoryBook, *legs: list[Any]) -> None:
    """Fay proposes an adjustment, Bob approves it."""
    (event,) = place.happens("propose-adjustment", "fay", postings=legs, reason_code="WRITE_OFF")
    assert isinstance(event, AdjustmentProposed)
    place.happens("approve-adjustment", "bob", adjustment=event.adjustment_id)


def wallet(place: InMemoryBook) -> Wallet:
    state = place.states["wallet:ann"]
    assert isinstance(state, Wallet)
    return state


def money(place: InMemoryBook) -> dict[str, int]:
    return {
        account: amount
        for (account, asset), amount in balances(place.history).items()
        if amount and asset == "USD"
    }


def in_order(place: InMemoryBook) -> None:
    """What must hold at every position."""
    found = balances(place.history)
    for (account, _), amount in found.items():
        assert amount <= 0 or not account.startswith("w."), account
        assert amount >= 0 or not account.startswith("fan_debt."), account
    assert found["deferred", "USD"] == -deferred_of_lots(place)
    for token in ("demo.PAID", "demo.PROMO"):
        tokens = sum(
            lot.tokens - lot.consumed
            for lot in wallet(place).lots
            if lot.kind == token.partition(".")[2]
        )
        assert found["supply", token] == tokens
    taken: dict[str, int] = {}
    shares: dict[str, int] = {}
    for event in place.history:
        if isinstance(event, Sale):
            shares[event.sale_id] = event.creator_share
        if isinstance(event, Reversal):
            for claw in event.shares:
                sale_id = claw.sale_id or getattr(event, "sale_id", "") or ""
                taken[sale_id] = taken.get(sale_id, 0) + claw.share
    for sale_id, amount in taken.items():
        assert 0 <= amount <= shares[sale_id], sale_id
