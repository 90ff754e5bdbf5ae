"""Settlements: what a processor paid to the bank, line by line, and who decides on differences.

Every line is kept, and what it is compared with is counted anew each time from what has happened.
"""

from collections import Counter
from typing import Any

from tests.reference_model.corrections import Corrections
from tests.reference_model.verdicts import ACCEPTED, NOTHING, Verdict, rejected

ALLOWED = {
    "AMOUNT_MISMATCH": ("WRITE_OFF", "DISMISS"),
    "MISSING_IN_LEDGER": ("MATCH", "RETURN", "DISMISS"),
}
DISPUTED = ("CHARGEBACK", "CHARGEBACK_REVERSAL")
Line = dict[str, Any]


class Settlements(Corrections):
    """Lines by processor and reference; breaks by their names."""

    def __init__(self, book: str) -> None:
        super().__init__(book)
        self.lines: dict[tuple[str, str], Line] = {}
        self.breaks: dict[str, dict[str, Any]] = {}
        self.owners: dict[str, str] = {}
        self.paid_fees: Counter[str] = Counter()
        self.uncovered: Counter[str] = Counter()
        self.since: Counter[str] = Counter()
        self.files: dict[str, set[str]] = {}
        self.controlled: set[str] = set()

    def import_settlement(self, fields: dict[str, Any]) -> Verdict:
        """Every new line posts what the bank got."""
        processor, name = fields["processor"], fields["file_sha256"]
        if any(line.get("currency", "USD") != "USD" for line in fields["lines"]):
            return rejected("CURRENCY_MISMATCH")
        known = {ref for of, ref in self.lines if of == processor}
        fresh = [{**line} for line in fields["lines"] if line["line_ref"] not in known]
        done = self.files.setdefault(name, set())
        made = len(self.breaks)
        told = bool(fresh)
        payouts = [nth for nth, line in enumerate(fresh) if line["kind"] == "PAYOUT"]
        for nth, line in enumerate(fresh):
            if "payout" not in fields and payouts and nth == payouts[-1]:
                told |= self._file_fee(fields, done, fresh)
            done |= {"lines"} if line["kind"] == "PAYOUT" else {"lines", "movements"}
            self.lines[processor, line["line_ref"]] = line
            self._line(processor, name, line, made)
        told |= self._file_fee(fields, done, fresh)
        if "payout" in fields and "movements" in done and "payout" not in done:
            done.add("payout")
            told = True
            self._figure(processor, name, abs(fields["payout"]), made)
        return ACCEPTED if told else NOTHING

    def _file_fee(self, fields: dict[str, Any], done: set[str], fresh: list[Line]) -> bool:
        fee, own = fields.get("fee", 0), "lines" in done or fresh or not fields["lines"]
        if not fee or "fee" in done or not own:
            return False
        done.add("fee")
        self.money(("exp.processor", fee), ("bank", -fee))
        self._moved(fields["processor"], fields["file_sha256"], -fee)
        return True

    def _moved(self, processor: str, name: str, net: int) -> None:
        self.uncovered[processor] += net
        self.since[name] += net

    def _line(self, processor: str, name: str, line: Line, made: int) -> None:
        if line["kind"] == "PAYOUT":
            self._figure(processor, name, abs(line["gross"]), made)
            return
        gross, fee = line["gross"], line.get("fee", 0)
        self._moved(processor, name, gross - fee)
        if line["kind"] == "FEE":
            gross, fee = 0, fee - gross
        self.money(("bank", -fee), ("exp.processor", fee))
        paying = line["kind"] != "CHARGEBACK_REVERSAL" or fee < 0
        for dispute in self._feed(processor, line) if paying else ():
            left = dispute["posted"] - self.paid_fees[dispute["id"]]
            part = sorted((0, fee, left))[1] if fee * left > 0 else 0
            fee -= part
            self.paid_fees[dispute["id"]] += part
            self.money((f"psp.{processor}", part), ("exp.processor", -part))
        if line["kind"] != "FEE":
            self._compared(processor, line, made)

    def _compared(self, processor: str, line: Line, made: int) -> None:
        kind, about, gross = line["kind"], line.get("processor_ref"), line["gross"]
        about = None if kind == "ADJUSTMENT" else about
        subject = (processor, kind, about)
        expected = None if about is None else self._expected(processor, kind, about)
        known = {name: one for name, one in self.breaks.items() if one["subject"] == subject}
        open_now = [name for name, one in known.items() if one["open"] and about is not None]
        line["subject"] = subject if about is not None else None
        same = [one for one in self.lines.values() if one.get("subject") == subject]
        total = sum(one["gross"] for one in same) if about is not None else gross
        total -= sum(one["resolved"] for one in known.values()) if about is not None else 0
        waiting = sum(self.breaks[name]["waiting"] for name in open_now)
        source = "suspense" if expected is None else f"psp.{processor}"
        self.money(("bank", gross), (source, -gross))
        if expected is not None:
            self.money(("suspense", waiting), (f"psp.{processor}", -waiting))
        one = {
            "open": total != (expected or 0),
            "subject": subject,
            "kind": kind,
            "processor": processor,
            "code": "MISSING_IN_LEDGER" if expected is None else "AMOUNT_MISMATCH",
            "waiting": waiting + gross if expected is None else 0,
            "difference": total - (expected or 0),
            "resolved": 0,
        }
        if open_now:
            self.breaks[open_now[0]] |= one
        elif one["open"]:
            self._broken(one, made)

    def _broken(self, one: dict[str, Any], made: int) -> None:
        """A break with a name of its own."""
        self.breaks[f"{self.new_id}_{len(self.breaks) - made + 1}"] = one

    def _figure(self, processor: str, name: str, amount: int, made: int) -> None:
        """What the processor paid, against the file's lines or else all of the processor's."""
        own, everything = self.since[name], self.uncovered[processor]
        own_fits, all_fit = amount == abs(own), amount == abs(everything)
        after_another = processor in self.controlled
        covered = everything if all_fit or (after_another and not own_fits) else own
        self.controlled.add(processor)
        self.since[name] = 0
        self.files[name].discard("movements")
        self.uncovered[processor] -= covered
        difference = (amount if covered >= 0 else -amount) - covered
        if difference:
            one = {"open": True, "subject": None, "kind": "PAYOUT", "code": "AMOUNT_MISMATCH"}
            more = {"processor": processor, "waiting": 0, "difference": difference, "resolved": 0}
            self._broken({**one, **more}, made)

    def _mine(self, processor: str, reference: str) -> dict[str, Any] | None:
        payment = self.payments.get(reference)
        if payment is None or payment["state"] is None or payment["processor"] != processor:
            return None
        return payment

    def _waiting(self, processor: str, reference: str, command: str) -> list[dict[str, Any]]:
        """What notices of a command have in suspense under their own reference."""
        waiting = self.payments.get(reference, {"waiting": []})["waiting"]
        mine = [one for one in waiting if one["processor"] == processor]
        return [one for one in mine if one["notice"][0] == command]

    def _expected(self, processor: str, kind: str, reference: str) -> int | None:
        """What the lines should add up to."""
        payment = self._mine(processor, reference)
        if kind == "PAYMENT":
            amount: int | None = None if payment is None else payment.get("amount", 0)
            return amount
        if kind == "REFUND":
            return -self._went_back(processor, reference, payment) or None
        disputes = self._feed(processor, {"kind": kind, "processor_ref": reference})
        if kind == "CHARGEBACK_REVERSAL":
            return sum(one["amount"] for one in disputes if one["state"] == "WON") or None
        waiting = self._waiting(processor, reference, "open-dispute")
        suspended = sum(one["notice"][1]["amount"] for one in waiting)
        return -(sum(one["amount"] for one in disputes) + suspended) or None

    def _went_back(self, processor: str, reference: str, payment: dict[str, Any] | None) -> int:
        if payment is not None and "sale" in payment:
            ids = [payment["sale"], *payment.get("further", [])]
            return sum(self.went_back_of(self.sales[sale]) for sale in ids)
        if payment is not None and "purchase" in payment:
            purchase = self.purchases[payment["purchase"]]
            back: int = purchase["refunded"] + purchase.get("taken", 0)
            return back + self.bounced_of(purchase)
        entry = None if payment is None else self.in_suspense(payment, processor)
        if entry is not None:
            refunded: int = sum(note.get("refunded", 0) for note in self.notes(entry))
            return refunded
        if payment is not None and payment["state"] == "released":
            amount: int = payment["amount"]
            return amount
        waiting = self._waiting(processor, reference, "record-refund")
        beyond: int = sum(one["amount"] for one in waiting)
        return self.noticed[processor, reference] - beyond

    def _feed(self, processor: str, line: Line) -> list[dict[str, Any]]:
        """The disputes that a line may be about, the one of its own reference before others."""
        reference = line.get("processor_ref")
        if line["kind"] not in (*DISPUTED, "FEE") or reference is None:
            return []
        own = self.disputes.get(reference) or self.disputes.get((processor, reference))
        if own is not None and "parts" in own and own["processor"] == processor:
            return list(own["parts"])
        payment = self._mine(processor, reference)
        if line["kind"] == "FEE" or payment is None:
            return []
        if "sale" in payment:
            ids = [payment["sale"], *payment.get("further", [])]
            return [one for sale in ids for one in self.sales[sale]["disputes"].values()]
        if "purchase" in payment:
            return list(self.purchases[payment["purchase"]]["disputes"].values())
        return []

    def resolve_break(self, fields: dict[str, Any]) -> Verdict:
        """A person decides."""
        name, resolution = fields["break"], fields["resolution"]
        one = self._named(name)
        if isinstance(one, Verdict):
            return one
        if one["code"] == "MISSING_IN_FILE":
            if resolution != "DISMISS":
                return rejected("INVALID_TRANSITION")
            self.breaks[name] = {**one, "open": False, "subject": None}
            return ACCEPTED
        expected, about = None, None
        if one["subject"] is not None:
            _, kind, about = one["subject"]
            expected = None if about is None else self._expected(one["processor"], kind, about)
            vouched = kind in ("REFUND", "ADJUSTMENT") or about is None
            if resolution == "MATCH" and expected is None and not vouched:
                return rejected("INVALID_TRANSITION")
        special = resolution == "WRITE_OFF" and one["kind"] == "ADJUSTMENT"
        if resolution not in ALLOWED[one["code"]] and not special:
            return rejected("INVALID_TRANSITION")
        if about is not None and one["code"] == "AMOUNT_MISMATCH":
            one["difference"] = self._total(one["subject"]) - (expected or 0)
        self._ended(one, resolution)
        if resolution == "MATCH" and expected is not None:
            self._left(one, expected)
        return ACCEPTED

    def _ended(self, one: dict[str, Any], resolution: str) -> None:
        psp, waiting, difference = f"psp.{one['processor']}", one["waiting"], one["difference"]
        short_of = {"PAYOUT": "bank", "ADJUSTMENT": "suspense"}.get(one["kind"], psp)
        legs = {
            "MATCH": [("suspense", waiting), (psp, -waiting)],
            "RETURN": [("suspense", waiting), ("bank", -waiting)],
            "WRITE_OFF": [("exp.processor", -difference), (short_of, difference)],
            "DISMISS": [],
        }
        self.money(*legs[resolution])
        resolved = 0 if resolution == "MATCH" else difference
        one |= {"open": False, "waiting": 0, "resolved": resolved}

    def _left(self, one: dict[str, Any], expected: int) -> None:
        """The break of what a match did not make up."""
        total = self._total(one["subject"])
        if total != expected:
            more = {"open": True, "code": "AMOUNT_MISMATCH", "difference": total - expected}
            self._broken({**one, **more}, len(self.breaks))

    def _total(self, subject: tuple[str, str, str]) -> int:
        """What lines say about a subject, without what people have resolved."""
        same = [line for line in self.lines.values() if line.get("subject") == subject]
        known = [each for each in self.breaks.values() if each["subject"] == subject]
        total: int = sum(line["gross"] for line in same) - sum(one["resolved"] for one in known)
        return total

    def assign_break(self, fields: dict[str, Any]) -> Verdict:
        """Somebody looks after it."""
        name, owner = fields["break"], fields["owner"]
        one = self._named(name)
        if isinstance(one, Verdict):
            return one
        if self.owners.get(name) == owner:
            return NOTHING
        self.owners[name] = owner
        return ACCEPTED

    def tells_of(self, name: str) -> tuple[str | None, int, str | None]:
        """Code, difference and owner of a break; no code and no difference once it is over."""
        one, owner = self.breaks[name], self.owners.get(name)
        return (one["code"], one["difference"], owner) if one["open"] else (None, 0, owner)

    def _named(self, name: str) -> dict[str, Any] | Verdict:
        """The open break of this name."""
        one = self.breaks.get(name)
        reference = name.removeprefix("missing-")
        payment = self.payments.get(reference, {"state": None})
        if one is None and name != reference and payment["state"] and payment.get("amount"):
            subject = (payment["processor"], "PAYMENT", reference)
            told = any(line.get("subject") == subject for line in self.lines.values())
            one = {"open": not told, "code": "MISSING_IN_FILE", "kind": "PAYMENT", "waiting": 0}
            one |= {"processor": payment["processor"], "resolved": 0, "subject": subject}
        if one is None:
            return rejected("UNKNOWN_BREAK")
        return one if one["open"] else rejected("INVALID_TRANSITION")
