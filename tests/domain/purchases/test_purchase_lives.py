"""Rules 6.1, 6.17 and 6.18 over random lives of one purchase.

Money back never exceeds money in: what is paid by command never exceeds money in minus money out,
and what processors take beyond it shows to the cent. Notices and refunds of sales, with no spend
between them, end in the same balances in any order.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.command import Suspended
from domain.purchases.purchase import PurchaseRecord, TokensPurchased
from domain.refunds.purchases import TokenPurchaseRefunded
from domain.sales.sale import Sale, SaleRecord
from domain.wallets.wallet import Wallet
from tests.domain.books import balances, deferred_of_lots
from tests.domain.in_memory_book import InMemoryBook
from tests.domain.purchases.spending_life import SpendingLife
from tests.domain.token_purchases import in_order, written_off
from tests.scenarios.policies import LIVE_CALL, MICRO_UNLOCK
from tests.support.examples import examples

Step = tuple[Any, ...]

PRODUCTS = ["tip", "hold"]
#: By the platforms whose rules they have: a bonus and creators who bear losses; the platform bears
#: them; creators again, at another price; holds.
SETTINGS: dict[str, dict[str, Any]] = {
    "A": {
        **MICRO_UNLOCK,
        "packages": {"p": {"tokens": 100, "bonus": 10, "price": 99}},
        "revenue_share": {"default": 8000},
    },
    "A with VAT": {
        **MICRO_UNLOCK,
        "packages": {"p": {"tokens": 100, "bonus": 10, "price": 257}},
        "vat": {"DE": 1900},
    },
    "B": {**LIVE_CALL, "packages": {"p": {"tokens": 100, "price": 999}}},
    "B, creators": {
        **LIVE_CALL,
        "packages": {"p": {"tokens": 100, "price": 999}},
        "dispute_bearer": "CREATOR_PROPORTIONAL",
    },
    "D": {
        **LIVE_CALL,
        "packages": {"p": {"tokens": 100, "price": 890}},
        "revenue_share": {"default": 0},
        "breakage_months": 1,
        "tip_minimum": 1,
    },
}


class Life(SpendingLife):
    """One purchase of Ann's, and all that becomes of it."""

    def __init__(self, setting: str, spends: Sequence[int] = (), days: int = 0) -> None:
        super().__init__()
        policy = {**SETTINGS[setting], "products_enabled": PRODUCTS}
        self.place = InMemoryBook(policy)
        self.price = policy["packages"]["p"]["price"]
        country = {"country": "DE"} if "vat" in policy else {}
        (bought, *_) = self.place.happens(
            "record-purchase",
            user="ann",
            package="p",
            price=self.price,
            processor="stripe",
            processor_ref="paid",
            **country,
        )
        assert isinstance(bought, TokensPurchased)
        self.purchase = bought.purchase_id
        self.by_command = 0
        self.lost: dict[str, int] = {}
        self.taken: dict[str, int] = {}
        self.seen: set[str] = set()
        self.failed = False
        #: What people have written off of what Ann owes.
        self.written_off = 0
        for tokens in spends:
            self.does(("tip", tokens))
        self.place.later(days=days)

    def does(self, step: Step) -> bool:
        """Let it happen, if it is accepted."""
        what, *more = step
        done: bool = getattr(self, f"_{what}")(*more)
        self.is_right()
        return done

    def _accepted(self, name: str, actor: str = "backend", **fields: Any) -> tuple[Any, ...]:
        decision = self.place.decide(name, actor, **fields)
        if not isinstance(decision, tuple):
            return ()
        return self.place.record(*decision)

    def _tip(self, tokens: int, creator: str = "carl") -> bool:
        fields = {"user": "ann", "creator": creator, "funding": "TOKEN", "amount": tokens}
        events = self._accepted("send-tip", **fields)
        self.sales += [event.sale_id for event in events if isinstance(event, Sale)]
        return bool(events)

    def _lapse(self) -> bool:
        return bool(self._accepted("lapse-tokens", user="ann"))

    def _refund_purchase(self) -> bool:
        left = max(0, self.price - self.out)
        events = self._accepted("refund-purchase", purchase=self.purchase, reason_code="ASKED")
        for event in events:
            if isinstance(event, TokenPurchaseRefunded):
                assert 0 < event.amount <= left
                self.by_command += event.amount
        return bool(events)

    def _lose(self, ref: str, amount: int) -> bool:
        """A final dispute of at most the price."""
        fields = {"purchase": self.purchase, "amount": min(amount, self.price), "fee": 0}
        notice = {"processor": "stripe", "processor_ref": ref, "final": True}
        if self._accepted("open-dispute", **fields, **notice):
            self.lost[ref] = fields["amount"]
        return True

    def _win(self, ref: str) -> bool:
        fields = {"dispute": ref, "outcome": "WON", "processor": "stripe"}
        if self._accepted("close-dispute", **fields, processor_ref=f"end-{ref}"):
            self.lost.pop(ref)
        return True

    def _take(self, ref: str, amount: int) -> bool:
        """The processor refunds so much."""
        notice = {"processor": "stripe", "processor_ref": ref, "amount": amount}
        if ref in self.seen:
            return False
        self.seen.add(ref)
        self._heard("record-refund", purchase=self.purchase, **notice)
        self.taken[ref] = amount
        return True

    def _give_back(self, ref: str) -> bool:
        """The refund failed."""
        notice = {"processor": "stripe", "processor_ref": f"back-{ref}", "reason_code": "CLOSED"}
        if ref not in self.taken or self.over:
            return False
        self._heard("fail-refund", refund=ref, **notice)
        self.taken.pop(ref)
        return True

    def _bounce(self) -> bool:
        """The payment failed."""
        notice = {"processor": "stripe", "processor_ref": "bounced", "reason_code": "RETURNED"}
        self._heard("fail-payment", payment_ref="paid", **notice)
        self.failed = True
        return True

    def _write_off(self, amount: int) -> bool:
        """People give up so much of what Ann owes."""
        off = min(amount, self.accounts().get(("fan_debt.ann", "USD"), 0))
        if not off:
            return False
        written_off(self.place, off)
        self.written_off += off
        return True

    def _heard(self, name: str, **fields: Any) -> None:
        decision = self.place.decide(name, **fields)
        events = decision.events if isinstance(decision, Suspended) else decision
        assert isinstance(events, tuple), decision
        self.place.record(*events)

    @property
    def over(self) -> int:
        """What the processor refunded of more than there was."""
        return max(0, sum(self.taken.values()) + self.by_command - self.price)

    @property
    def out(self) -> int:
        """What has gone back of the price."""
        told = self.by_command + sum(self.lost.values()) + sum(self.taken.values())
        return max(told, self.price) if self.failed else told

    def accounts(self) -> dict[tuple[str, str], int]:
        """Balances that are not zero."""
        return {key: amount for key, amount in balances(self.place.history).items() if amount}

    def is_undone(self, *, refunded: bool) -> None:
        """Of all that is undone nothing is left: only usage, breakage and their tax are.

        `refunded`: whether the last refund of the purchase was accepted.
        """
        found = self.accounts()
        left = {account for account, _ in found}
        used = {"rev.usage", "rev.breakage", "exp.promo"}
        assert not {one for one in left if one.startswith(("cr.", "fan_debt", "rev.m"))}
        tokens = {key for key in found if key[0].startswith("w.")}
        if tokens:
            # A refund by command takes what is free. Bonus tokens pay nothing, and paid ones
            # nothing where they are worth no more than is deducted for the bonus that batches used:
            # then a refund is refused, and these tokens stay with the buyer.
            assert not refunded
            assert {account for account, _ in tokens} == {"w.ann.free"}
            assert -found.get(("deferred", "USD"), 0) <= self.bonus_used
            assert self.bonus_used or tokens == {("w.ann.free", "demo.PROMO")}
        if not left & used:
            assert left <= {"w.ann.free", "supply"}
            assert self.by_command == self.price

    def is_right(self) -> None:
        """What must hold at every position."""
        in_order(self.place)
        found = self.accounts()
        assert found.get(("psp.stripe", "USD"), 0) == self.price - self.out
        owing = self.place.states[f"purchase:{self.purchase}"]
        assert isinstance(owing, PurchaseRecord)
        expense = min(self.written_off, owing.debt)
        beyond = max(0, self.out - self.price - self.over) + expense
        assert found.get(("exp.baddebt", "USD"), 0) == beyond
        assert found.get(("suspense", "USD"), 0) == self.over
        assert self.by_command <= self.price
        assert found.get(("deferred", "USD"), 0) == -deferred_of_lots(self.place)
        wallet = self.place.states["wallet:ann"]
        assert isinstance(wallet, Wallet)
        owed = found.get(("fan_debt.ann", "USD"), 0)
        assert wallet.debt == owed == owing.debt - expense
        back = self.lost or self.taken or self.failed
        assert back or not owed
        assert ("SPEND" in wallet.frozen) == bool(wallet.frozen_for)
        for cause in wallet.frozen_for:
            assert self.lost if cause.startswith("DISPUTE_LOST") else owing.debt
        for (account, _), amount in found.items():
            if account.endswith((".pending", ".reserved")) or account.startswith("cr."):
                assert amount <= 0, (account, amount)


settings = st.sampled_from(sorted(SETTINGS))
tokens = st.integers(1, 70)
nths = st.integers(0, 3)
amounts = st.integers(1, 600) | st.integers(80, 1000)
refs = st.sampled_from(["d0", "d1", "d2"])
steps = st.one_of(
    st.tuples(st.just("tip"), tokens, st.sampled_from(["carl", "cora"])),
    st.tuples(st.just("refund"), nths, tokens),
    st.tuples(st.just("hold"), tokens),
    st.tuples(st.just("use"), nths, tokens),
    st.tuples(st.just("release"), nths),
    st.tuples(st.just("lose"), refs, amounts),
    st.tuples(st.just("win"), refs),
    st.tuples(st.just("take"), refs, amounts),
    st.tuples(st.just("give_back"), refs),
    st.tuples(st.just("refund_purchase")),
    st.tuples(st.just("unfreeze")),
    st.tuples(st.just("write_off"), amounts),
    st.tuples(st.just("lapse")),
)


@examples(600)
@given(settings, st.lists(steps, max_size=14), st.sampled_from([0, 40]))
def test_6_1_money_back_never_exceeds_money_in(setting: str, life: list[Step], days: int) -> None:
    found = Life(setting, days=0)
    for nth, step in enumerate(life):
        if nth == 7:
            found.place.later(days=days)
        found.does(step)
    for ref in list(found.lost):
        found.does(("win", ref))
    for ref in list(found.taken):
        found.does(("give_back", ref))
    if found.taken:
        return
    found.does(("unfreeze",))
    assert ("fan_debt.ann", "USD") not in found.accounts()
    for nth in range(len(found.holds)):
        found.does(("release", nth))
    for nth, sale in enumerate(found.sales):
        record = found.place.states[f"sale:{sale}"]
        assert isinstance(record, SaleRecord)
        if record.paid > record.refunded:
            found.does(("refund", nth, record.paid - record.refunded))
    found.is_undone(refunded=found.does(("refund_purchase",)))


@pytest.mark.parametrize("held", [1, 4, 9, 10])
def test_6_1_a_bonus_held_when_its_purchase_is_refunded_is_deducted_until_it_is_back(
    held: int,
) -> None:
    found = Life("A", days=0)
    found.does(("hold", held))
    assert found.does(("refund_purchase",))
    assert found.by_command == found.price - held
    found.does(("release", 0))
    assert found.accounts() == {
        ("psp.stripe", "USD"): held,
        ("exp.promo", "USD"): -held,
        ("w.ann.free", "demo.PROMO"): -held,
        ("supply", "demo.PROMO"): held,
    }
    assert found.does(("refund_purchase",))
    found.is_undone(refunded=True)
    assert not found.accounts()


@pytest.mark.parametrize("used", [1, 4, 9, 10])
def test_6_1_nobody_keeps_a_bonus_for_nothing_by_holding_it(used: int) -> None:
    found = Life("A", days=0)
    found.does(("hold", 10))
    assert found.does(("refund_purchase",))
    found.does(("use", 0, used))
    found.does(("release", 0))
    assert found.does(("refund_purchase",)) == (used < 10)
    assert found.by_command == found.price - used
    assert not {key for key in found.accounts() if key[0].startswith("w.")}


@examples(600)
@given(st.data())
def test_6_1_notices_and_refunds_of_sales_in_any_order(data: st.DataObject) -> None:
    draw = data.draw
    setting = draw(settings)
    before = draw(st.lists(steps, max_size=6))
    spends = draw(st.lists(st.integers(1, 60), max_size=3))
    wins = {f"n{ref}" for ref in draw(st.lists(refs, max_size=2))}
    lost = draw(st.lists(st.tuples(refs, amounts), max_size=3, unique_by=lambda one: one[0]))
    returned = draw(st.lists(st.tuples(nths, st.integers(1, 30)), max_size=4))
    notices: list[Step] = [("lose", f"n{ref}", amount) for ref, amount in lost]
    notices += [("win", f"n{ref}") for ref, _ in lost if f"n{ref}" in wins]
    taken = draw(st.lists(st.tuples(refs, amounts), max_size=2, unique_by=lambda one: one[0]))
    notices += [("take", f"n{ref}", amount) for ref, amount in taken]
    notices += [("bounce", "")] if draw(st.booleans()) else []
    notices += [("refund", *one) for one in returned]
    first, second = (
        in_turn(setting, spends, before, draw(st.permutations(notices))) for _ in range(2)
    )
    (accounts, refunds), (others, other_refunds) = first, second
    assert refunds != other_refunds or accounts == others


def in_turn(
    setting: str, spends: list[int], before: list[Step], notices: list[Step]
) -> tuple[Any, list[Any]]:
    """Where it ends, and which refunds there were: a win waits for its loss, a refund may be
    refused.
    """
    life = Life(setting, spends)
    for step in before:
        life.does(step)
    waiting: set[str] = set()
    refunds = []
    for what, about, *more in notices:
        if what == "win" and about not in life.lost:
            waiting.add(about)
        elif what == "bounce":
            life.does((what,))
        elif life.does((what, about, *more)):
            if what == "refund":
                refunds.append((about, *more))
            if about in waiting:
                life.does(("win", about))
    return life.accounts(), sorted(refunds)
