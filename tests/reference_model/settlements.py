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
        self.paid_fees: Counter[Any] = Counter()
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
        beyond = line["kind"] != "FEE" and self._goes_beyond(processor, line)
        disputes = self._feed(processor, line)
        paying = line["kind"] != "CHARGEBACK_REVERSAL" or fee < 0
        for dispute in disputes if paying else ():
            paid = self.paid_fees[dispute["id"]] + self.paid_fees[dispute["told"]]
            left = dispute["posted"] - paid - self.early.told_of(dispute["told"])
            part = sorted((0, fee, left))[1] if fee * left > 0 else 0
            fee -= part
            self.paid_fees[dispute["id"]] += part
            self.money((f"psp.{processor}", part), ("exp.processor", -part))
        self._early(processor, line, fee, disputes, beyond=beyond)
        if line["kind"] != "FEE":
            self._compared(processor, line, made)

    def _goes_beyond(self, processor: str, line: Line) -> bool:
        """Whether lines of this kind tell of more than is known, or of nothing but a fee."""
        kind, about, gross = line["kind"], line.get("processor_ref"), line["gross"]
        if about is None or not gross or kind == "ADJUSTMENT":
            return True
        total = self._total((processor, kind, about), without=line) + gross
        left = total - (self._expected(processor, kind, about) or 0)
        return bool(left < 0 if gross < 0 else left > 0)

    def _early(
        self, processor: str, line: Line, fee: int, disputes: list[Line], *, beyond: bool
    ) -> None:
        """What no dispute explains may be the fee of one to come, or come back with a win."""
        kind, about = line["kind"], line.get("processor_ref")
        if about is None:
            return
        if kind == "FEE" and not disputes:
            payment = self.payments.get(about, {"waiting": []})
            if not self._is_own(processor, payment) and not payment["waiting"]:
                self.early.paid[processor, about] += fee
        to_come = kind == "CHARGEBACK" and (beyond or not disputes)
        if to_come and not self._own_disputes(processor, about):
            self.early.paid[processor, about] += fee
            self.early.by_chargebacks[processor, about] += fee
        unwon = any(one["state"] != "WON" for one in disputes)
        reversal = kind == "CHARGEBACK_REVERSAL"
        if fee < 0 and ((reversal and beyond) or (unwon and (reversal or kind == "FEE"))):
            self.early.given_back[processor, about] -= fee

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
        if expected is None and about is not None and total - gross != waiting:
            expected = 0  # what was known once: its lines are with the processor's account
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

    def _is_own(self, processor: str, payment: dict[str, Any]) -> bool:
        """Whether a payment is this processor's and not in suspense."""
        elsewhere = payment.get("state") in (None, "suspended", "released")
        return not elsewhere and bool(payment["processor"] == processor)

    def _entries(self, processor: str, reference: str) -> list[dict[str, Any]]:
        """The processor's money under a reference that is, or was, in suspense."""
        payment = self.payments.get(reference, {"waiting": []})
        return [
            one
            for one in [*payment["waiting"], *payment.get("returned", [])]
            if one["processor"] == processor and one["amount"] > 0 and one["currency"] is None
        ]

    def _waiting(self, processor: str, reference: str, command: str) -> list[dict[str, Any]]:
        """The notices of a command that wait in suspense under their own reference."""
        waiting = self.payments.get(reference, {"waiting": []})["waiting"]
        mine = [one for one in waiting if one["processor"] == processor]
        return [one for one in mine if one["notice"][0] == command and one["currency"] is None]

    def _expected(self, processor: str, kind: str, reference: str) -> int | None:
        """What the lines should add up to."""
        payment = self.payments.get(reference, {})
        entries = self._entries(processor, reference)
        if kind == "PAYMENT":
            amounts = [entry["amount"] for entry in entries]
            own = [payment.get("amount", 0)] if self._is_own(processor, payment) else []
            return sum(own + amounts) if own or amounts else None
        if kind == "REFUND":
            return -self._went_back(processor, reference, payment, entries) or None
        disputes = self._feed(processor, {"kind": kind, "processor_ref": reference})
        if kind == "CHARGEBACK_REVERSAL":
            return sum(one["amount"] for one in disputes if one["state"] == "WON") or None
        return -sum(one["amount"] for one in disputes) or None

    def _went_back(
        self,
        processor: str,
        reference: str,
        payment: dict[str, Any],
        entries: list[dict[str, Any]],
    ) -> int:
        own = self._is_own(processor, payment)
        if own or entries:
            notes = (note for entry in entries for note in self.notes(entry))
            waited = sum(note.get("refunded", 0) for note in notes)
            waited += sum(self.bounced_in_suspense(entry) for entry in entries)
            return waited + (self._back_of(payment) if own else 0)
        back = self.noticed[processor, reference]
        kind, found = self.notices.get((processor, reference), ("", None))
        if kind == "purchase":
            back += found[2]
        if kind == "suspense":
            back += self.refunded_under(found[1], reference)
        waiting = self._waiting(processor, reference, "record-refund")
        return back - sum(one["amount"] for one in waiting)

    def _back_of(self, payment: dict[str, Any]) -> int:
        """All that went back of what a payment paid, or beyond it."""
        if "sale" in payment:
            ids = [payment["sale"], *payment.get("further", [])]
            return sum(self.went_back_of(self.sales[sale]) for sale in ids)
        if "purchase" not in payment:
            return 0
        purchase = self.purchases[payment["purchase"]]
        back: int = purchase["refunded"] + purchase.get("taken", 0)
        return back + self.bounced_of(purchase) + self.beyond.get(payment["purchase"], 0)

    def _feed(self, processor: str, line: Line) -> list[dict[str, Any]]:
        """The disputes that a line may be about, the one of its own reference before others."""
        reference = line.get("processor_ref")
        if line["kind"] not in (*DISPUTED, "FEE") or reference is None:
            return []
        found = self._own_disputes(processor, reference)
        if found or line["kind"] == "FEE":
            return found
        payment = self.payments.get(reference, {})
        if self._is_own(processor, payment) and "sale" in payment:
            ids = [payment["sale"], *payment.get("further", [])]
            found = [one for sale in ids for one in self.sales[sale]["disputes"].values()]
        if self._is_own(processor, payment) and "purchase" in payment:
            found = list(self.purchases[payment["purchase"]]["disputes"].values())
        for entry in self._entries(processor, reference):
            found += self._disputes_of(processor, entry)
        return found

    def _own_disputes(self, processor: str, reference: str) -> list[dict[str, Any]]:
        """The dispute of this name, in its parts."""
        own = self.disputes.get(reference) or self.disputes.get((processor, reference))
        found: list[dict[str, Any]] = []
        if own is not None and "parts" in own and own["processor"] == processor:
            found = list(own["parts"])
        elif own is not None and "suspense" in own:
            found = self._disputes_of(processor, own["suspense"][1], reference)
        for one in self._waiting(processor, reference, "open-dispute"):
            fields = one["notice"][1]
            found.append(self._unposted(processor, reference, fields["amount"], fields["fee"]))
        return found

    def _disputes_of(
        self, processor: str, entry: dict[str, Any], reference: str | None = None
    ) -> list[dict[str, Any]]:
        """The disputes of money in suspense, or the one of a reference."""
        if entry["processor"] != processor or entry["currency"] is not None:
            return []
        found = {}
        for note in self.notes(entry):
            if note["command"] == "open-dispute" and reference in (None, note["ref"]):
                about = processor, note["ref"], note["disputed"], note["fee"]
                found[note["ref"]] = self._unposted(*about)
            if note["command"] == "close-dispute" and note["fields"]["dispute"] in found:
                one = found[note["fields"]["dispute"]]
                one["posted"] += note.get("fee", 0)
                one["state"] = "WON" if note.get("disputed") else one["state"]
        return list(found.values())

    def _unposted(self, processor: str, ref: str, amount: int, fee: int) -> dict[str, Any]:
        """A dispute without an id."""
        key = (processor, ref)
        posted = fee - self.early.told_of(key)
        return {"id": key, "told": None, "amount": amount, "posted": posted, "state": "OPEN"}

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

    def _total(self, subject: tuple[str, str, str], without: Line | None = None) -> int:
        """What lines say about a subject, without what people have resolved."""
        lines = (line for line in self.lines.values() if line is not without)
        same = [line for line in lines if line.get("subject") == subject]
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
