"""The auditor: told a command, it says what must come of it and keeps its own books.

It shares no code with the product: whatever differs is a finding in one of the two. What it cannot
know is told to it: the time, the id that the service gave, and the events of purchases' disputes,
which it checks before it believes them.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from tests.reference_model.payouts import STEPS
from tests.reference_model.selling import PRODUCTS
from tests.reference_model.tiers import Tiers
from tests.reference_model.verdicts import OURS, Verdict, rejected

#: What is told by processors about somebody holds whoever it names.
NOTICES = ("record-purchase", "charge-period", "fail-period")
NAMING = {"user": "wallet", "creator": "creator", "payee": "creator"}
ACCOUNTS = {"w": "wallet", "fan_debt": "wallet", "cr": "creator"}
Told = Sequence[tuple[str, dict[str, Any]]]


class Auditor(Tiers):
    """One book in the auditor's eyes."""

    def hears(
        self,
        command: str,
        fields: dict[str, Any],
        *,
        now: datetime,
        new_id: str = "",
        actor: str = "backend",
        told: Told = (),
    ) -> Verdict:
        """The verdict on a command; an accepted or suspended one has its effect on the books."""
        self.now, self.new_id, self.actor, self.told = now, new_id, actor, list(told)
        verdict = self._heard(command, fields)
        if verdict.outcome == "suspended":
            self.suspend(command, fields, verdict)
        self.cancel_uncovered_payouts()
        return verdict

    def knows(self, command: str) -> bool:
        """Whether the auditor has a rule for a command."""
        return command in PRODUCTS or command in STEPS or hasattr(self, method(command))

    def _heard(self, command: str, fields: dict[str, Any]) -> Verdict:
        if self._is_closed(command, fields):
            return rejected("SUBJECT_ERASED")
        if command in PRODUCTS:
            return self.sale(command, fields)
        if command in STEPS:
            return self.step(command, fields)
        rule: Callable[[dict[str, Any]], Verdict] = getattr(self, method(command))
        return rule(fields)

    def _is_closed(self, command: str, fields: dict[str, Any]) -> bool:
        """Whether it is a request that names somebody who left."""
        if fields.get("funding") == "CARD" or command in NOTICES:
            return False
        named = {(kind, fields[field]) for field, kind in NAMING.items() if field in fields}
        named |= {("creator", payee["creator"]) for payee in fields.get("payees", ())}
        named |= {("wallet", user) for user in fields.get("eligible", {}).get("users", ())}
        if command in ("freeze", "unfreeze"):
            named.add((fields["kind"], fields["subject"]))
        for account, *_ in fields.get("postings", ()):
            kind, *rest = account.split(".")
            named |= {(ACCOUNTS[kind], rest[0])} if kind in ACCOUNTS else set()
        return bool(named & self.erased)

    def release_payment(self, fields: dict[str, Any]) -> Verdict:
        """Money leaves suspense, to where it came from or to what it was for."""
        payment = self.payments.get(fields["payment_ref"])
        if payment is None:
            return rejected("UNKNOWN_PAYMENT")
        if not payment["waiting"]:
            return rejected("INVALID_TRANSITION")
        first, applied = payment["waiting"][0], fields["resolution"] == "APPLY"
        processor = first["processor"]
        if applied:
            verdict = self._heard(*first["notice"])
            if verdict.outcome not in ("accepted", "nothing"):
                return rejected("INVALID_TRANSITION")
        left, bad, fees = self.left(first)
        if first["amount"] <= 0:
            left = first["amount"]
        del payment["waiting"][0]
        if not applied and first["amount"] > 0:
            sent = {"command": "release-payment", "refunded": left, "unconfirmed": max(0, left)}
            self.notes(first).append(sent)
            payment.setdefault("returned", []).append(first)
        self.name_by_what_waits(payment)
        money = first["currency"] or OURS
        self.post(money, ("suspense", left), (f"psp.{processor}", -left))
        if applied:
            back = ("exp.baddebt", -bad), ("exp.dispute", -fees)
            self.money(*back, (f"psp.{processor}", bad + fees))
            self._hears_again(self.notes(first))
        return Verdict("accepted")

    def _hears_again(self, notes: list[dict[str, Any]]) -> None:
        """What was told of a payment while it waited is told of what it has become."""
        first_id = self.new_id
        for nth, note in enumerate(notes, 2):
            command, fields = note["command"], note["fields"]
            dispute = (fields["processor"], fields["processor_ref"])
            if self.disputes.get(dispute, {}).get("suspense"):
                del self.disputes[dispute]
            self.new_id = f"{first_id}-{nth}"
            verdict = self._heard(command, fields)
            if verdict.outcome == "suspended":
                self.suspend(command, fields, verdict)
        self.new_id = first_id


def method(command: str) -> str:
    """The name of the rule for a command."""
    return command.replace("-", "_")
