"""Random settlement files: what the bank and the processor have in the end, and an auditor's word.

The world here is the processor's: what it took, gave back, charged and paid out. Its files tell of
that in any pieces, over and over; the ledger's accounts must be the processor's own.
"""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.domain.settlements.files import Files, line
from tests.support.examples import examples

amounts = st.integers(1, 5_000)
fees = st.integers(0, 90)
Lines = list[dict[str, Any]]


@dataclass
class Processor:
    """What a processor knows: its movements in order, and which fees the ledger knows too."""

    book: Files = field(default_factory=Files)
    lines: Lines = field(default_factory=list)
    #: By line: what of its fee a dispute has posted.
    posted: dict[str, int] = field(default_factory=dict)
    payouts: dict[str, int] = field(default_factory=dict)

    def says(self, kind: str, gross: int, ref: str | None, fee: int, posted: int = 0) -> None:
        """One more movement."""
        told = line(kind, gross, ref, fee=fee)
        self.lines.append(told)
        self.posted[told["line_ref"]] = posted

    def pays(self, data: st.DataObject, ref: str) -> None:
        """A payment, settled in one part or more, and what becomes of it."""
        amount = data.draw(amounts)
        self.book.receives(ref, amount)
        parts = data.draw(st.lists(st.integers(1, amount), max_size=2, unique=True).map(sorted))
        for low, high in zip([0, *parts], [*parts, amount], strict=True):
            if low < high:
                self.says("PAYMENT", high - low, ref, data.draw(fees))
        match data.draw(st.sampled_from(["kept", "kept", "refunded", "disputed"])):
            case "refunded":
                self._refunds(data, ref, amount)
            case "disputed":
                self._disputes(data, ref, data.draw(st.integers(1, amount)))

    def _refunds(self, data: st.DataObject, ref: str, amount: int) -> None:
        by_payment = data.draw(st.booleans())
        figures = data.draw(st.lists(st.integers(1, amount), min_size=1, max_size=3, unique=True))
        before = 0
        for nth, figure in enumerate(sorted(figures)):
            name = f"{ref}-refund-{nth}"
            self.book.refunds(ref, figure, name)
            self.says("REFUND", before - figure, ref if by_payment else name, data.draw(fees))
            before = figure

    def _disputes(self, data: st.DataObject, ref: str, amount: int) -> None:
        name, posted, charged = f"{ref}-dispute", data.draw(fees), data.draw(fees)
        about = data.draw(st.sampled_from([ref, name]))
        self.book.disputes(ref, amount, posted, name, final=data.draw(st.booleans()))
        if data.draw(st.booleans()):
            self.says("CHARGEBACK", -amount, about, charged, posted)
        else:
            self.says("CHARGEBACK", -amount, about, 0)
            self.says("FEE", -charged, name, 0, posted)
        if data.draw(st.booleans()):
            self.book.wins(name)
            self.says("CHARGEBACK_REVERSAL", amount, about, data.draw(fees))

    def pays_out(self, lines: Lines, fee: int = 0) -> dict[str, Any]:
        """The line of a payout of these movements; negative where it takes money."""
        net = sum(one["gross"] - one["fee"] for one in lines) - fee
        told = line("PAYOUT", -net)
        self.payouts[told["line_ref"]] = net
        return told

    def cost(self, lines: Lines) -> int:
        """What these movements cost beyond what disputes have posted."""
        total = 0
        for one in lines:
            fee = one["fee"] - (one["gross"] if one["kind"] == "FEE" else 0)
            total += fee - min(fee, self.posted[one["line_ref"]])
        return total

    def left(self, lines: Lines) -> int:
        """What the ledger says that the processor still has, if it has told of these movements."""
        told = {one["line_ref"] for one in lines}
        received = sum(
            amount
            for event in self.book.history
            for account, asset, amount in event.postings(self.book.assets)
            if account == "psp.stripe" and not event.type.startswith(("settle", "break"))
        )
        for one in self.lines:
            if one["line_ref"] in told:
                fee = one["fee"] - (one["gross"] if one["kind"] == "FEE" else 0)
                received -= 0 if one["kind"] == "FEE" else one["gross"]
                received += min(fee, self.posted[one["line_ref"]])
        return received


def cut(data: st.DataObject, lines: Lines, most: int = 4) -> list[Lines]:
    """The lines in pieces, none of them empty."""
    if not lines:
        return []
    places = data.draw(st.lists(st.integers(1, len(lines)), max_size=most, unique=True))
    ends = sorted({*places, len(lines)})
    return [lines[low:high] for low, high in zip([0, *ends], ends, strict=False)]


def processor(data: st.DataObject) -> Processor:
    """A processor with some payments and what became of them, in any order."""
    world = Processor()
    for nth in range(data.draw(st.integers(1, 5))):
        world.pays(data, f"p{nth}")
    for fee in data.draw(st.lists(fees, max_size=2)):
        world.says("FEE", -fee, None, 0)
    world.lines = data.draw(st.permutations(world.lines))
    return world


def in_order(world: Processor, told: Lines, paid: int, fee: int = 0) -> None:
    """The books are what the processor's are."""
    account = world.book.account
    assert account("bank") == paid
    assert account("exp.processor") == world.cost(told) + fee
    assert account("psp.stripe") == world.left(told)
    assert account("suspense") == 0


@examples(400)
@given(data=st.data())
def test_the_bank_equals_the_payouts_however_files_come(data: st.DataObject) -> None:
    """A report for each payout, in any order and pieces; each may come again as other bytes."""
    world = processor(data)
    reports = [(lines, data.draw(fees)) for lines in cut(data, world.lines)]
    kept = data.draw(st.integers(1, len(reports)))
    known = data.draw(st.permutations(reports))[:kept]
    again = data.draw(st.lists(st.sampled_from(known), max_size=3))
    for nth, (lines, fee) in enumerate([*known, *again]):
        net = sum(one["gross"] - one["fee"] for one in lines) - fee
        pieces = cut(data, lines)
        for number, piece in enumerate(pieces):
            last = {"fee": fee, "payout": abs(net)} if number == len(pieces) - 1 else {}
            first_line = 1 + sum(map(len, pieces[:number]))
            world.book.imports(*piece, file=f"{nth:064x}", first_line=first_line, **last)
    told = [one for lines, _ in known for one in lines]
    paid = sum(one["gross"] - one["fee"] for one in told) - sum(fee for _, fee in known)
    in_order(world, told, paid, sum(fee for _, fee in known))
    controls = [one for one in world.book.events("break.opened.v1") if one.kind == "PAYOUT"]
    assert not controls
    if kept == len(reports):
        assert world.book.open_breaks() == {}


@examples(400)
@given(data=st.data())
def test_the_bank_equals_the_payouts_where_files_are_windows_of_one_history(
    data: st.DataObject,
) -> None:
    """Movements and payouts in one list, of which files show windows that overlap."""
    world = processor(data)
    history: Lines = []
    for lines in cut(data, world.lines):
        history += [*lines, world.pays_out(lines)]
    shown = 0
    nth = 0
    while shown < len(history):
        begin = data.draw(st.integers(0, shown))
        end = data.draw(st.integers(shown + 1, len(history)))
        world.book.imports(*history[begin:end], file=f"{nth:064x}")
        shown, nth = end, nth + 1
    in_order(world, world.lines, sum(world.payouts.values()))
    assert world.book.open_breaks() == {}


@examples(100)
@given(data=st.data(), short=st.integers(-50, 50).filter(bool))
def test_what_a_payout_differs_is_one_break_and_written_off_is_in_the_bank(
    data: st.DataObject, short: int
) -> None:
    world = Processor()
    for nth in range(data.draw(st.integers(1, 3))):
        amount = data.draw(st.integers(1_000, 5_000))
        world.book.receives(f"p{nth}", amount)
        world.says("PAYMENT", amount, f"p{nth}", data.draw(fees))
    net = sum(one["gross"] - one["fee"] for one in world.lines)
    world.book.imports(*world.lines, payout=net + short)
    ((name, told),) = world.book.open_breaks().items()
    assert told == ("AMOUNT_MISMATCH", short)
    assert world.book.resolves(name, "WRITE_OFF") == ""
    assert world.book.account("bank") == net + short
