"""Money that waits in suspense, and what processors said about it while it waited.

All that such notices come to is a function of sums: what was refunded, what banks took, whether the
payment failed. So they end in the same balances in whatever order they arrive.
"""

from typing import Any, NamedTuple

import msgspec


class Drawn(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A notice about a payment in suspense, in minor units that it adds to each figure.

    `refunded` went back to the buyer; of what a person returned, `unconfirmed` is what no refund of
    the processor's was told of yet; `disputed` is what banks took and did not give back.
    """

    command: str
    ref: str
    notice: dict[str, Any]
    refunded: int = 0
    unconfirmed: int = 0
    disputed: int = 0
    fee: int = 0
    failed: bool = False


class Claimed(NamedTuple):
    """A dispute of money in suspense: what the bank took, the fee, and if that came back."""

    amount: int
    fee: int
    won: bool


class Outflow(NamedTuple):
    """What left a payment in suspense: out of suspense itself, and beyond it at our cost."""

    suspense: int
    bad_debt: int
    fees: int

    @property
    def total(self) -> int:
        """What the processor took."""
        return self.suspense + self.bad_debt + self.fees

    def less(self, before: "Outflow") -> "Outflow":
        """What of it is new."""
        pairs = zip(self, before, strict=True)
        return Outflow(*(after - earlier for after, earlier in pairs))


class Waiting(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Money in suspense: what `processor` had said, under the command `command`.

    `drawn`: what was said about it since, in the order received.
    """

    processor: str
    amount: int
    command: str
    notice: dict[str, Any]
    drawn: tuple[Drawn, ...] = ()
    #: Where it is not the book's.
    currency: str | None = None

    @property
    def notice_id(self) -> tuple[str, str, str]:
        """By what its notice is known: processor, command, the processor's reference."""
        return self.processor, self.command, self.notice["processor_ref"]

    @property
    def refunded(self) -> int:
        """Minor units that went back to the buyer."""
        return sum(one.refunded for one in self.drawn)

    @property
    def unconfirmed(self) -> int:
        """What of it a person returned and no notice has told of yet."""
        return sum(one.unconfirmed for one in self.drawn)

    @property
    def failed(self) -> bool:
        """Whether the payment failed, so that the processor has taken all of it back."""
        return any(one.failed for one in self.drawn)

    @property
    def outflow(self) -> Outflow:
        """Refunds take the payment first and go below it; disputes take what they leave, and
        what there is not is bad debt. A failure takes the rest. The order does not matter.
        """
        disputed = sum(one.disputed for one in self.drawn)
        paid = max(0, self.amount)
        borne = min(self.refunded, paid)
        taken = min(paid, borne + disputed)
        return Outflow(
            (paid if self.failed else taken) + self.refunded - borne,
            borne + disputed - taken,
            sum(one.fee for one in self.drawn),
        )

    @property
    def bounced(self) -> int:
        """What its failure took: all that nothing else had."""
        paid = max(0, self.amount)
        disputed = sum(one.disputed for one in self.drawn)
        return max(0, paid - min(self.refunded, paid) - disputed) if self.failed else 0

    @property
    def claimed(self) -> dict[str, Claimed]:
        """Its disputes, by the references of the notices that opened them."""
        found: dict[str, Claimed] = {}
        for one in self.drawn:
            if one.command == "open-dispute":
                found[one.ref] = Claimed(one.disputed, one.fee, won=False)
            elif one.command == "close-dispute":
                opened = found[one.notice["dispute"]]
                won = opened.won or one.disputed < 0
                found[one.notice["dispute"]] = Claimed(opened.amount, opened.fee + one.fee, won)
        return found

    @property
    def left(self) -> int:
        """What of it is in suspense still; negative where refunds went beyond it."""
        return self.amount - self.outflow.suspense

    def with_drawn(self, drawn: Drawn) -> "Waiting":
        """The same once one more notice has told of it."""
        return msgspec.structs.replace(self, drawn=(*self.drawn, drawn))
