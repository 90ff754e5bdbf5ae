"""Settlements: what a processor paid to the bank, line by line, and who decides on differences."""

from collections import defaultdict
from typing import Any

from tests.reference_model.corrections import Corrections
from tests.reference_model.verdicts import ACCEPTED, NOTHING, Verdict, rejected

ALLOWED = {
    "AMOUNT_MISMATCH": ("WRITE_OFF", "DISMISS"),
    "MISSING_IN_LEDGER": ("MATCH", "RETURN", "DISMISS"),
}


class Settlements(Corrections):
    """Files by hash, lines by payment."""

    def __init__(self, book: str) -> None:
        super().__init__(book)
        self.files: dict[str, dict[str, Any]] = defaultdict(lambda: {"through": 0, "fee": False})
        self.lines: dict[str, dict[str, Any]] = {}

    def import_settlement(self, fields: dict[str, Any]) -> Verdict:
        """Every new line posts what the bank got."""
        known, first = self.files[fields["file_sha256"]], fields.get("first_line", 1)
        if first > known["through"] + 1:
            return rejected("INVALID_TRANSITION")
        fresh = [line for n, line in enumerate(fields["lines"], first) if n > known["through"]]
        known["through"] += len(fresh)
        for line in fresh:
            self._line(fields["processor"], line["payment_ref"], line["amount"])
        fee = fields.get("fee", 0)
        if fee and not known["fee"]:
            known["fee"] = True
            self.money(("exp.processor", fee), ("bank", -fee))
            return ACCEPTED
        return ACCEPTED if fresh else NOTHING

    def _line(self, processor: str, ref: str, amount: int) -> None:
        payment = self.payments.get(ref)
        source, code, difference = f"psp.{processor}", "AMOUNT_MISMATCH", 0
        if payment is None or payment["processor"] != processor or ref in self.lines:
            source, code, difference = "suspense", "MISSING_IN_LEDGER", amount
        else:
            difference = amount - payment["amount"]
        self.money(("bank", amount), (source, -amount))
        self.lines[ref] = {
            "open": bool(difference),
            "code": code,
            "processor": processor,
            "gross": amount,
            "difference": difference,
        }

    def resolve_break(self, fields: dict[str, Any]) -> Verdict:
        """A person decides."""
        ref, resolution = fields["payment_ref"], fields["resolution"]
        line = self.lines.get(ref)
        if line is None:
            return rejected("UNKNOWN_BREAK")
        unknown = resolution == "MATCH" and ref not in self.payments
        if not line["open"] or resolution not in ALLOWED[line["code"]] or unknown:
            return rejected("INVALID_TRANSITION")
        line["open"] = False
        psp, gross, short = f"psp.{line['processor']}", line["gross"], -line["difference"]
        legs = {
            "MATCH": [("suspense", gross), (psp, -gross)],
            "RETURN": [("suspense", gross), ("bank", -gross)],
            "WRITE_OFF": [("exp.processor", short), (psp, -short)],
            "DISMISS": [],
        }
        self.money(*legs[resolution])
        return ACCEPTED
