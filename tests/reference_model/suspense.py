"""Money in suspense: whose it is, what was told of it while it waited, and what is left of it."""

from typing import Any

from tests.reference_model.refunds import Refunds
from tests.reference_model.verdicts import OURS

Fields = dict[str, Any]


class SuspendedMoney(Refunds):
    """Entries under the references of payments, each with the notes of what was told."""

    def in_suspense(self, payment: Fields, processor: str) -> Fields | None:
        """This processor's money under the reference, waiting or sent back."""
        for entry in [*payment["waiting"], *payment.get("returned", [])]:
            if entry["processor"] == processor and entry["amount"] > 0:
                found: Fields = entry
                return found
        return None

    def name_by_what_waits(self, payment: Fields) -> None:
        """A payment that became nothing is called by what waits longest."""
        if payment["state"] not in (None, "suspended", "released"):
            return
        left = payment["waiting"]
        payment["state"] = "suspended" if left else "released"
        payment |= {name: left[0][name] for name in ("processor", "amount") if left}

    def notes(self, entry: Fields) -> list[Fields]:
        """What was told of it while it waited."""
        found: list[Fields] = entry.setdefault("notes", [])
        return found

    def bounced_in_suspense(self, entry: Fields) -> int:
        """What the failure of a payment took out of suspense."""
        notes = self.notes(entry)
        gone = sum(note.get("refunded", 0) + note.get("disputed", 0) for note in notes)
        failed = any(note.get("failed") for note in notes)
        return max(0, entry["amount"] - gone) if failed else 0

    def left(self, entry: Fields) -> tuple[int, int, int]:
        """What of it is in suspense, what it cost beyond, and the fees."""
        notes = self.notes(entry)
        refunded = sum(note.get("refunded", 0) for note in notes)
        disputed = sum(note.get("disputed", 0) for note in notes)
        paid = max(0, entry["amount"])
        rest = paid - min(refunded, paid)
        beyond = refunded - (paid - rest)
        bad = max(0, disputed - rest)
        rest -= disputed - bad
        if any(note.get("failed") for note in notes):
            rest = 0
        return rest - beyond, bad, sum(note.get("fee", 0) for note in notes)

    def note(
        self, payment: Fields, entry: Fields, fields: Fields, command: str, **more: Any
    ) -> None:
        """One more thing was told, and its money moves."""
        before = self.left(entry)
        self.notes(entry).append({"command": command, "fields": fields, **more})
        after = self.left(entry)
        taken, bad, fee = before[0] - after[0], after[1] - before[1], after[2] - before[2]
        self.post(
            entry["currency"] or OURS,
            ("suspense", taken),
            ("exp.baddebt", bad),
            ("exp.dispute", fee),
            (f"psp.{entry['processor']}", -taken - bad - fee),
        )
        returned = payment.get("returned", [])
        if any(one is entry for one in returned):
            payment["returned"] = [one for one in returned if one is not entry]
            payment["waiting" if after[0] else "returned"].append(entry)
            self.name_by_what_waits(payment)

    def refunded_under(self, entry: Fields, name: str) -> int:
        """What a refund of money in suspense took, unless it has failed."""
        back: int = 0
        for note in self.notes(entry):
            if note["command"] == "record-refund" and note["fields"]["processor_ref"] == name:
                back += note["refunded"] - note["unconfirmed"]
            if note["command"] == "fail-refund" and note["fields"]["refund"] == name:
                back += note["refunded"]
        return back
