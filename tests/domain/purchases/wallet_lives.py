"""Random lives of a wallet with two purchases, as the outside world would tell them.

Each came through a processor of its own, tips and holds take tokens of both, and their disputes are
open for a while. Some are suspended at first.
"""

from collections import Counter
from typing import Any

from hypothesis import strategies as st

from domain.command import Ignored, Parked, Suspended
from domain.purchases.purchase import PurchaseRecord, TokensPurchased
from domain.refunds.purchases import TokenPurchaseRefunded
from domain.rejections import Rejection
from domain.sales.sale import Sale, SaleRecord
from domain.wallets.wallet import Wallet
from tests.domain.books import balances, deferred_of_lots
from tests.domain.in_memory_book import InMemoryBook
from tests.domain.purchases.spending_life import SpendingLife
from tests.domain.token_purchases import in_order, written_off
from tests.scenarios.policies import LIVE_CALL, MICRO_UNLOCK

Step = tuple[Any, ...]

BEARERS = ("CREATOR_PROPORTIONAL", "PLATFORM")
#: With a bonus, with tax on top of it, without either, and credits that are used and lapse.
FUNDINGS: dict[str, dict[str, Any]] = {
    "bonus": {**MICRO_UNLOCK, "packages": {"p": {"tokens": 100, "bonus": 10, "price": 99}}},
    "bonus and tax": {
        **MICRO_UNLOCK,
        "packages": {"p": {"tokens": 100, "bonus": 30, "price": 257}},
        "vat": {"DE": 1900},
        "default_country": "DE",
        "promo_expiry_days": 20,
    },
    "margin": {**LIVE_CALL, "packages": {"p": {"tokens": 100, "price": 999}}},
    "usage": {
        **LIVE_CALL,
        "packages": {"p": {"tokens": 100, "price": 890}},
        "revenue_share": {"default": 0},
        "breakage_months": 1,
        "tip_minimum": 1,
    },
}
NAMES = ("one", "two")


class Bought:
    """A purchase as its processor sees it."""

    def __init__(self, ref: str, price: int) -> None:
        self.ref, self.processor, self.price = ref, f"psp-{ref}", price
        self.purchase: str | None = None
        self.by_command = self.fees = 0
        self.fee_of: dict[str, int] = {}
        self.disputes: dict[str, tuple[int, str]] = {}
        self.taken: dict[str, int] = {}
        self.failed = False
        self.returned = 0

    def standing(self, *states: str) -> int:
        """What is disputed, in these states."""
        return sum(amount for amount, state in self.disputes.values() if state in states)

    @property
    def out(self) -> int:
        """What has gone back for good of what there was, or beyond it."""
        told = self.by_command + self.standing("LOST") + sum(self.taken.values())
        return max(told, self.price) if self.failed else told

    @property
    def over(self) -> int:
        """What its processor refunded of more than there was."""
        return max(0, sum(self.taken.values()) + self.by_command - self.price)

    @property
    def at_processor(self) -> int:
        """What its processor holds. Of money in suspense a dispute takes its amount at once."""
        if self.purchase is None and self.failed:
            told = sum(self.taken.values()) + self.standing("LOST", "OPEN")
            return self.price - max(told, self.price) - self.fees
        return self.price - self.out - self.standing("OPEN") - self.fees


class WalletLife(SpendingLife):
    """Two purchases of Ann's, and all that becomes of them."""

    def __init__(
        self, funding: str, bearer: str, suspended: set[str], *, refundable: bool = False
    ) -> None:
        super().__init__()
        self.refundable = refundable
        policy = {
            **FUNDINGS[funding],
            "products_enabled": ["tip", "hold"],
            "dispute_bearer": bearer,
            "dispute_fee_refundable": refundable,
        }
        self.place = InMemoryBook({**policy, "packages": {}} if suspended else policy)
        price = policy["packages"]["p"]["price"]
        self.bought = {name: Bought(name, price) for name in NAMES}
        self.count = 0
        #: What people have written off, by purchase.
        self.written_off: Counter[str] = Counter()
        for name in sorted(suspended):
            self._buys(name)
        if suspended:
            self.place.publish(policy)
        for name in NAMES:
            if name not in suspended:
                self._buys(name)

    def _buys(self, name: str) -> None:
        one = self.bought[name]
        self._hears(
            "record-purchase",
            user="ann",
            package="p",
            price=one.price,
            processor=one.processor,
            processor_ref=one.ref,
        )

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
        return self._records(decision)

    def _hears(self, name: str, **fields: Any) -> bool:
        """A notice, which is never refused; whether it said anything new."""
        decision = self.place.decide(name, **fields)
        assert not isinstance(decision, Rejection | Parked), decision
        kept = isinstance(decision, Suspended | Ignored)
        self._records(decision.events if kept else decision)
        return not isinstance(decision, Ignored)

    def _records(self, events: tuple[Any, ...]) -> tuple[Any, ...]:
        for event in events:
            if isinstance(event, TokensPurchased):
                self.bought[event.processor_ref].purchase = event.purchase_id
            if isinstance(event, Sale):
                self.sales.append(event.sale_id)
        return self.place.record(*events)

    def _ref(self, what: str) -> str:
        self.count += 1
        return f"{what}{self.count}"

    def _apply(self, name: str) -> bool:
        """Somebody applies a purchase that waits."""
        one = self.bought[name]
        if one.purchase is not None:
            return False
        fields = {"payment_ref": one.ref, "resolution": "APPLY"}
        return bool(self._accepted("release-payment", "fay", **fields))

    def _tip(self, tokens: int, creator: str) -> bool:
        fields = {"user": "ann", "creator": creator, "funding": "TOKEN", "amount": tokens}
        return bool(self._accepted("send-tip", **fields))

    def _ends(self, days: int) -> bool:
        """Time passes, and what ends is posted."""
        self.place.later(days=days)
        lapsed = self._accepted("lapse-tokens", user="ann")
        return bool((*lapsed, *self._accepted("expire-promo", user="ann")))

    def _refund_purchase(self, name: str) -> bool:
        one = self.bought[name]
        if one.purchase is None:
            return False
        left = max(0, one.price - one.out)
        events = self._accepted("refund-purchase", purchase=one.purchase, reason_code="ASKED")
        for event in events:
            if isinstance(event, TokenPurchaseRefunded):
                assert not one.standing("OPEN")
                assert 0 < event.amount <= left
                one.by_command += event.amount
        return bool(events)

    def _dispute(self, name: str, amount: int, final: bool) -> bool:
        """The bank takes so much, with a fee."""
        one, ref = self.bought[name], self._ref("d")
        fee = 5 + amount % 4
        fields = {"payment_ref": one.ref, "amount": amount, "fee": fee, "final": final}
        self._hears("open-dispute", **fields, processor=one.processor, processor_ref=ref)
        one.disputes[ref] = amount, "LOST" if final else "OPEN"
        one.fees += fee
        one.fee_of[ref] = fee
        return True

    def _close(self, name: str, nth: int, outcome: str) -> bool:
        """The bank has decided; a win is final."""
        one = self.bought[name]
        live = [ref for ref, (_, state) in one.disputes.items() if state != "WON"]
        if not live:
            return False
        ref = live[nth % len(live)]
        fields = {"dispute": ref, "outcome": outcome, "processor": one.processor}
        self._hears("close-dispute", **fields, processor_ref=self._ref("e"))
        one.disputes[ref] = one.disputes[ref][0], outcome
        if outcome == "WON" and self.refundable:
            one.fees -= one.fee_of[ref]
        return True

    def _take(self, name: str, amount: int) -> bool:
        """The processor refunds so much."""
        one, ref = self.bought[name], self._ref("r")
        fields = {"payment_ref": one.ref, "amount": amount, "processor": one.processor}
        self._hears("record-refund", **fields, processor_ref=ref)
        one.taken[ref] = amount
        return True

    def _give_back(self, name: str, nth: int) -> bool:
        """One of its refunds failed."""
        one = self.bought[name]
        if not one.taken or one.over:
            return False
        ref = sorted(one.taken)[nth % len(one.taken)]
        fields = {"refund": ref, "reason_code": "CLOSED", "processor": one.processor}
        self._hears("fail-refund", **fields, processor_ref=self._ref("f"))
        del one.taken[ref]
        return True

    def _bounce(self, name: str) -> bool:
        """The payment failed."""
        one = self.bought[name]
        fields = {"payment_ref": one.ref, "reason_code": "RETURNED", "processor": one.processor}
        self._hears("fail-payment", **fields, processor_ref=self._ref("b"))
        one.failed = True
        return True

    def _write_off(self, amount: int) -> bool:
        """People give up so much of what Ann owes: of the older purchase first."""
        off = min(amount, self.accounts().get(("fan_debt.ann", "USD"), 0))
        if not off:
            return False
        written_off(self.place, off)
        for purchase in sorted(one.purchase or "" for one in self.bought.values()):
            left = self.owed(purchase) - self.expense(purchase)
            self.written_off[purchase] += min(off, left)
            off -= min(off, left)
        assert not off
        return True

    def owed(self, purchase: str | None) -> int:
        """What the losses of a purchase leave Ann owing."""
        record = self.place.states[f"purchase:{purchase}"]
        assert isinstance(record, PurchaseRecord)
        return record.debt

    def expense(self, purchase: str | None) -> int:
        """How much of it is bad debt."""
        return min(self.written_off[purchase or ""], self.owed(purchase))

    def accounts(self) -> dict[tuple[str, str], int]:
        """Balances that are not zero."""
        return {key: amount for key, amount in balances(self.place.history).items() if amount}

    def is_right(self) -> None:
        """What must hold at every position."""
        in_order(self.place)
        found = self.accounts()
        disputed = bad_debt = suspense = 0
        for one in self.bought.values():
            assert found.get((f"psp.{one.processor}", "USD"), 0) == one.at_processor, one.ref
            suspense += self.in_suspense(one)
            if one.purchase is None:
                borne = min(sum(one.taken.values()), one.price)
                bad_debt += max(0, borne + one.standing("LOST", "OPEN") - one.price)
            else:
                disputed += one.standing("OPEN")
                bad_debt += max(0, one.out - one.price - one.over) + self.expense(one.purchase)
        assert found.get(("disputed", "USD"), 0) == disputed
        assert found.get(("exp.baddebt", "USD"), 0) == bad_debt
        assert found.get(("suspense", "USD"), 0) == suspense
        assert found.get(("deferred", "USD"), 0) == -deferred_of_lots(self.place)
        self._debts_are_right(found)
        for (account, _), amount in found.items():
            if account.startswith(("cr.", "vat.")):
                assert amount <= 0, (account, amount)

    def in_suspense(self, one: Bought) -> int:
        """What of a payment waits for a person; a debit where its processor took too much."""
        if one.purchase is not None:
            return one.over
        borne = min(sum(one.taken.values()), one.price)
        beyond = max(0, borne + one.standing("LOST", "OPEN") - one.price)
        return -(one.at_processor + one.fees) - beyond

    def _debts_are_right(self, found: dict[tuple[str, str], int]) -> None:
        """Nobody owes for what nobody took, and spending is frozen for a cause."""
        wallet = self.place.states["wallet:ann"]
        assert isinstance(wallet, Wallet)
        owed = found.get(("fan_debt.ann", "USD"), 0)
        assert wallet.debt == owed
        debts = 0
        for one in self.bought.values():
            debt = self.owed(one.purchase)
            assert 0 <= debt <= max(0, one.out - one.by_command)
            debts += debt - self.expense(one.purchase)
        assert debts == owed
        assert ("SPEND" in wallet.frozen) == bool(wallet.frozen_for)

    def undo(self) -> None:
        """Banks and processors give all back, then everybody gets their money or tokens back."""
        for name, one in self.bought.items():
            while self._close(name, 0, "WON"):
                self.is_right()
            while self._give_back(name, 0):
                self.is_right()
            self._apply(name)
            assert one.purchase is None or not one.standing("OPEN", "LOST")
        self.does(("unfreeze",))
        for nth in range(len(self.holds)):
            self.does(("release", nth))
        for nth, sale in enumerate(self.sales):
            record = self.place.states[f"sale:{sale}"]
            assert isinstance(record, SaleRecord)
            if record.paid > record.refunded:
                assert self.does(("refund", nth, record.paid - record.refunded))
        for name in NAMES:
            self.does(("refund_purchase", name))

    def nothing_is_left(self) -> None:
        """Of all that is undone nothing is left but usage, breakage, fees and their tax."""
        found = {account: amount for (account, asset), amount in self.accounts().items()}
        assert not {one for one in found if one.startswith(("cr.", "fan_debt", "rev.m", "disp"))}
        assert not {one for one in found if one in ("suspense", "exp.baddebt")}
        if not found.keys() & {"rev.usage", "rev.breakage"} and not self.bonus_used:
            assert not {one for one in found if one.startswith(("w.", "vat.", "deferred"))}
            assert "exp.promo" not in found
            for one in self.bought.values():
                assert one.by_command == one.price


names = st.sampled_from(NAMES)
tokens = st.integers(1, 120)
nths = st.integers(0, 3)
amounts = st.integers(1, 300) | st.integers(80, 1_200)
#: What each step is drawn with.
DRAWN: dict[str, tuple[st.SearchStrategy[Any], ...]] = {
    "tip": (tokens, st.sampled_from(["carl", "cora"])),
    "refund": (nths, tokens),
    "hold": (tokens,),
    "use": (nths, tokens),
    "release": (nths,),
    "dispute": (names, amounts, st.booleans()),
    "close": (names, nths, st.sampled_from(["WON", "LOST"])),
    "take": (names, amounts),
    "give_back": (names, nths),
    "refund_purchase": (names,),
    "apply": (names,),
    "unfreeze": (),
    "write_off": (amounts,),
    "ends": (st.sampled_from([1, 25, 40]),),
    "bounce": (names,),
    "settle": (),
    "early": (),
}
EVER = ["tip", "tip", "refund", "hold", "use", "release", "dispute", "close", "take", "give_back"]
MORE = ["refund_purchase", "apply", "unfreeze", "ends", "write_off"]


def lives(*names_of_steps: str) -> st.SearchStrategy[list[Step]]:
    """Some of these steps, one after the other."""
    step: st.SearchStrategy[Step] = st.sampled_from(names_of_steps).flatmap(
        lambda name: st.tuples(st.just(name), *DRAWN[name])
    )
    return st.lists(step, max_size=16)
