"""Settlement files in a book without a database: what is received, what processors report."""

from collections import Counter
from itertools import count
from typing import Any

from domain.accounts import balanced
from domain.command import Decision, Suspended
from domain.event import Event
from domain.settlements.settlement import Break, BreakStatus
from tests.domain.in_memory_book import ASSETS, InMemoryBook, code
from tests.scenarios.policies import MICRO_UNLOCK

FILE, OTHER, THIRD = "ab" * 32, "cd" * 32, "ef" * 32
STRIPE: dict[str, Any] = {"processor": "stripe"}
POLICY: dict[str, Any] = {**MICRO_UNLOCK, "price_bounds": {}}

_numbers = count(1)


def line(kind: str, gross: int, ref: str | None = None, **more: Any) -> dict[str, Any]:
    """A line of a file, with a name of its own unless one is given."""
    named = {} if ref is None else {"processor_ref": ref}
    return {"line_ref": f"txn_{next(_numbers)}", "kind": kind, "gross": gross, **named, **more}


def paid(ref: str, gross: int, **more: Any) -> dict[str, Any]:
    """A line that tells of a payment."""
    return line("PAYMENT", gross, ref, **more)


class Files(InMemoryBook):
    """A book whose payments come by card."""

    def __init__(self, **received: int) -> None:
        super().__init__(POLICY)
        for ref, amount in received.items():
            self.receives(ref, amount)

    def receives(self, ref: str, amount: int) -> str:
        """A payment by card; answers its sale."""
        tip: dict[str, Any] = {
            "user": "ann",
            "creator": "carl",
            "funding": "CARD",
            "amount": amount,
        }
        sale, *_ = self.happens("send-tip", **tip, **STRIPE, processor_ref=ref)
        return str(getattr(sale, "sale_id", ""))

    def refunds(self, payment: str, cumulative: int, ref: str) -> None:
        """The processor gave so much of a payment back."""
        self.happens(
            "record-refund", sale=payment, cumulative=cumulative, **STRIPE, processor_ref=ref
        )

    def disputes(
        self, payment: str, amount: int, fee: int, ref: str, *, final: bool = False
    ) -> None:
        """A bank took so much of a payment back."""
        about: dict[str, Any] = {
            "payment_ref": payment,
            "amount": amount,
            "fee": fee,
            "final": final,
        }
        self.happens("open-dispute", **about, **STRIPE, processor_ref=ref)

    def wins(self, dispute: str) -> None:
        """The bank gave it back."""
        end = {"dispute": dispute, "outcome": "WON", "processor_ref": f"{dispute}-won"}
        self.happens("close-dispute", **end, **STRIPE)

    def suspends(self, ref: str, price: int) -> None:
        """A payment that no package has this price for."""
        bought: dict[str, Any] = {
            "user": "ann",
            "package": "small",
            "price": price,
            "processor_ref": ref,
        }
        decision = self.decide("record-purchase", **bought, **STRIPE)
        assert isinstance(decision, Suspended)
        self.record(*decision.events)

    def imports(self, *lines: dict[str, Any], file: str = FILE, **more: Any) -> list[str]:
        """The types of the events that a file, or a piece of one, makes."""
        fields = {**STRIPE, "file_sha256": file, "lines": list(lines), **more}
        return [event.type for event in self.happens("import-settlement", "fay", **fields)]

    def asks(self, command: str, break_id: str, **fields: Any) -> Decision:
        """What becomes of a break when Fay does something about it."""
        decision = self.decide(command, "fay", **{"break": break_id}, **fields)
        if isinstance(decision, tuple):
            self.record(*decision)
        return decision

    def resolves(self, break_id: str, resolution: str) -> str:
        """Fay decides on a break; the code of a refusal."""
        return code(
            self.asks("resolve-break", break_id, resolution=resolution, reason_code="CHECKED")
        )

    def events(self, kind: str) -> list[Any]:
        """Everything of a type that has happened."""
        return [event for event in self.history if event.type == kind]

    @property
    def last(self) -> Event:
        """What happened last."""
        return self.history[-1]

    def open_breaks(self) -> dict[str, tuple[str, int]]:
        """Code and difference of every open break, by its id."""
        return {
            key.partition(":")[2]: (str(state.code), state.difference)
            for key, state in self.states.items()
            if isinstance(state, Break) and state.status == BreakStatus.OPEN
        }

    def books(self) -> dict[str, int]:
        """The balances, debits positive; only what is not zero."""
        sums: Counter[str] = Counter()
        for event in self.history:
            for account, asset, amount in balanced(event.postings(ASSETS)):
                sums[account] += amount * (asset == "USD")
        return {account: amount for account, amount in sums.items() if amount}

    def account(self, name: str) -> int:
        """The balance of an account."""
        return self.books().get(name, 0)

    def money(self) -> dict[str, int]:
        """The balances of bank, processor, suspense and processing costs."""
        names = ("bank", "psp.stripe", "suspense", "exp.processor")
        return {name: self.account(name) for name in names}


def money(bank: int = 0, psp: int = 0, suspense: int = 0, cost: int = 0) -> dict[str, int]:
    """The balances that a settlement moves."""
    return {"bank": bank, "psp.stripe": psp, "suspense": suspense, "exp.processor": cost}
