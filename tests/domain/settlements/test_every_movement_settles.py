"""Rule 6.10 over random lives of purchases: each movement at a processor has its line in a file.

Whatever a line is about, sales, purchases or money that waits in suspense, and whether it comes
before or after the notice of it, in the end the processor's account is empty, the bank has what the
files say, and no break is left that nobody can work off.
"""

from itertools import count
from typing import Any

from hypothesis import given, note
from hypothesis import strategies as st

from domain.settlements.settlement import Break, BreakCode, BreakStatus
from tests.domain.purchases.wallet_lives import (
    BEARERS,
    EVER,
    FUNDINGS,
    MORE,
    NAMES,
    Step,
    WalletLife,
    lives,
)
from tests.support.examples import examples


class SettledLife(WalletLife):
    """A life whose movements stand in settlement files; `by_payment`: lines name the payment."""

    def __init__(
        self,
        funding: str,
        bearer: str,
        suspended: set[str],
        *,
        by_payment: bool,
        refundable: bool = False,
    ) -> None:
        self.by_payment = by_payment
        self.lines: dict[str, list[dict[str, Any]]] = {}
        self.numbers = count(1)
        self.in_bank = 0
        self.early = False
        super().__init__(funding, bearer, suspended, refundable=refundable)

    def _moved(self, processor: str, kind: str, gross: int, about: str, fee: int = 0) -> None:
        """A movement that has its line some time."""
        line = {"kind": kind, "gross": gross, "processor_ref": about, "fee": fee}
        line["line_ref"] = f"txn_{next(self.numbers)}"
        self.lines.setdefault(processor, []).append(line)

    def _hears(self, name: str, **fields: Any) -> bool:
        """The notice, and the line of the same movement: later, or even before."""
        moved = self._movement(name, fields)
        if moved is not None and self.early:
            self._moved(fields["processor"], *moved)
            self._settle()
        heard = super()._hears(name, **fields)
        if moved is not None and not self.early:
            self._moved(fields["processor"], *moved)
        return heard

    def _movement(self, name: str, fields: dict[str, Any]) -> tuple[Any, ...] | None:
        own = fields["processor_ref"]
        one = next(one for one in self.bought.values() if one.processor == fields["processor"])
        if name == "record-purchase":
            return "PAYMENT", fields["price"], own
        if name == "record-refund":
            return "REFUND", -fields["amount"], one.ref if self.by_payment else own
        if name == "fail-refund":
            failed = fields["refund"]
            return "REFUND", one.taken[failed], one.ref if self.by_payment else failed
        if name == "open-dispute":
            about = one.ref if self.by_payment else own
            return "CHARGEBACK", -fields["amount"], about, fields["fee"]
        if name == "close-dispute" and fields["outcome"] == "WON":
            dispute = fields["dispute"]
            about = one.ref if self.by_payment else dispute
            back = one.fee_of[dispute] if self.refundable else 0
            return "CHARGEBACK_REVERSAL", one.disputes[dispute][0], about, -back
        return None

    def _refund_purchase(self, name: str) -> bool:
        one = self.bought[name]
        before = one.by_command
        done = super()._refund_purchase(name)
        if done:
            self._moved(one.processor, "REFUND", before - one.by_command, one.ref)
        return done

    def _settle(self) -> bool:
        """Every processor sends what has moved since its last file."""
        for processor, lines in self.lines.items():
            file = f"{next(self.numbers):064x}"
            fields = {"processor": processor, "file_sha256": file, "lines": lines}
            self.in_bank += sum(line["gross"] - line["fee"] for line in lines)
            assert self._accepted("import-settlement", "fay", **fields) or not lines
        self.lines.clear()
        return True

    def ends(self) -> None:
        """All has settled, and what bounced: what by then nothing else has taken of a payment."""
        for one in self.bought.values():
            told = one.by_command + sum(one.taken.values()) + one.standing("LOST")
            if one.purchase is None:
                told += one.standing("OPEN")
            if one.failed and told < one.price:
                self._moved(one.processor, "REFUND", told - one.price, one.ref)
        self._settle()

    def _early(self) -> bool:
        """From now on files come before notices."""
        self.early = True
        return True

    def open_breaks(self) -> dict[str, Break]:
        """Every open break, by its id."""
        return {
            key.partition(":")[2]: state
            for key, state in self.place.states.items()
            if isinstance(state, Break) and state.status == BreakStatus.OPEN
        }

    def works_off(self) -> None:
        """A person ends what is open: all of it must be explained by now."""
        for name, state in self.open_breaks().items():
            missing = state.code == BreakCode.MISSING_IN_LEDGER
            fields = {"resolution": "MATCH" if missing else "WRITE_OFF", "reason_code": "SEEN"}
            assert self._accepted("resolve-break", "fay", **{"break": name}, **fields), state
        assert not self.open_breaks()

    def is_settled(self) -> None:
        """The bank has what the files say, and processors hold nothing more."""
        found = self.accounts()
        assert found.get(("bank", "USD"), 0) == self.in_bank
        for one in self.bought.values():
            assert not found.get((f"psp.{one.processor}", "USD"), 0), one.ref
        assert found.get(("exp.dispute", "USD"), 0) == sum(one.fees for one in self.bought.values())
        assert not found.get(("exp.processor", "USD"), 0)
        suspense = sum(self.in_suspense(one) for one in self.bought.values())
        assert found.get(("suspense", "USD"), 0) == suspense

    def is_right(self) -> None:
        """The processors' accounts are compared once everything has settled."""


@examples(300)
@given(
    funding=st.sampled_from(sorted(FUNDINGS)),
    bearer=st.sampled_from(BEARERS),
    suspended=st.sets(st.sampled_from(NAMES)),
    refundable=st.booleans(),
    life=lives(*EVER, *MORE, "bounce", "settle", "settle"),
)
def test_6_10_lines_that_name_payments_leave_nothing_open(
    funding: str, bearer: str, suspended: set[str], refundable: bool, life: list[Step]
) -> None:
    note(f"{locals()}")
    found = SettledLife(funding, bearer, suspended, by_payment=True, refundable=refundable)
    for step in life:
        found.does(step)
    found.ends()
    found.works_off()
    found.is_settled()


@examples(300)
@given(
    bearer=st.sampled_from(BEARERS),
    suspended=st.sets(st.sampled_from(NAMES)),
    life=lives(*EVER, "apply", "settle", "settle"),
)
def test_6_10_lines_that_name_their_own_movement_leave_nothing_open(
    bearer: str, suspended: set[str], life: list[Step]
) -> None:
    note(f"{locals()}")
    found = SettledLife("margin", bearer, suspended, by_payment=False)
    for step in life:
        found.does(step)
    found.ends()
    assert not found.open_breaks()
    found.is_settled()


@examples(300)
@given(
    bearer=st.sampled_from(BEARERS),
    suspended=st.sets(st.sampled_from(NAMES)),
    by_payment=st.booleans(),
    refundable=st.booleans(),
    life=lives(*EVER, "dispute", "close", "apply", "settle", "early"),
)
def test_6_10_lines_that_come_before_their_notices_are_worked_off(
    bearer: str, suspended: set[str], by_payment: bool, refundable: bool, life: list[Step]
) -> None:
    note(f"{locals()}")
    found = SettledLife("margin", bearer, suspended, by_payment=by_payment, refundable=refundable)
    for step in life:
        found.does(step)
    found.ends()
    found.works_off()
    found.is_settled()
