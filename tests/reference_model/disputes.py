"""Disputes: of sales by card they are reckoned anew; of purchases they are checked and believed.

How the loss of a purchase falls on the sales that its tokens paid is the product's to say; the
auditor holds it against what was bought, what each creator has, and what the bank took.
"""

from typing import Any

from tests.reference_model.early_fees import EarlyFees
from tests.reference_model.purchase_losses import PurchaseLosses
from tests.reference_model.verdicts import ACCEPTED, NOTHING, Verdict, foreign, parked, suspended

#: More than can be lost.
EVERMORE = 10**18


class Disputes(PurchaseLosses):
    """Disputes by id, and by processor and reference."""

    def __init__(self, book: str) -> None:
        super().__init__(book)
        self.disputes: dict[str | tuple[str, str], dict[str, Any]] = {}
        self.marks: dict[str, list[int]] = {}
        self.early = EarlyFees()

    def open_dispute(self, fields: dict[str, Any]) -> Verdict:
        """A bank takes back what was paid, and what it takes beyond that is lost to us."""
        amount, fee = fields["amount"], fields["fee"]
        ref = (fields["processor"], fields["processor_ref"])
        known = self.disputes.get(ref)
        if known is not None and "parts" in known:
            return NOTHING
        kind, found = self.about(fields)
        if kind in ("nothing", "authorized"):
            return parked()
        if (other := self.of_another_currency(fields, kind, found)) is not None:
            return foreign(-amount - fee, other)
        if kind == "suspense":
            return self._suspense_disputed(fields, *found)
        about = [found[1]] if kind == "purchase" else found
        if not any(self._by_card(one) for one in about):
            return suspended("INVALID_TRANSITION", -amount - fee)
        policy = self.policy(self.happened(fields))
        if policy is None:
            return suspended("NO_POLICY", -amount - fee)
        self._takes_over(ref, about[0].get("ref", ""), fee)
        parts: list[dict[str, Any]] = []
        for one, part in self._spread(about, amount):
            dispute = {
                "id": f"{self.new_id}-{len(parts) + 1}" if parts else self.new_id,
                "about": one,
                "amount": part,
                "posted": 0 if parts else fee,
                "told": None if parts or not fee else ref,
                "fee": fee if policy.get("dispute_fee_refundable") and not parts else 0,
                "bearer": policy["dispute_bearer"],
                "processor": fields["processor"],
                "state": "OPEN",
            }
            parts.append(dispute)
            self._open(dispute, 0 if len(parts) > 1 else fee)
            if fields.get("final"):
                self._lose(dispute)
        group = {
            "state": "LOST" if fields.get("final") else "OPEN",
            "parts": parts,
            "processor": fields["processor"],
        }
        self.disputes[ref] = group
        self.disputes |= {dispute["id"]: group for dispute in parts}
        if fields.get("final"):
            self.marked(parts, won=False)
        return Verdict("accepted", numbers={"amount": parts[0]["amount"]})

    def _takes_over(self, ref: tuple[str, str], payment: str, fee: int) -> None:
        """Of the fee of a dispute that lines have paid before, it takes over what it posts."""
        part = self.early.opens(ref, (ref[0], payment), fee)
        self.money((f"psp.{ref[0]}", part), ("exp.processor", -part))

    def _takes_back(self, ref: tuple[str, str], payment: str, fee: int) -> None:
        """Of a fee that comes back with a win, lines may have told before."""
        part = self.early.wins(ref, (ref[0], payment), fee)
        self.money((f"psp.{ref[0]}", -part), ("exp.processor", part))

    def _by_card(self, about: dict[str, Any]) -> int:
        if "price" in about:
            price: int = about["price"]
            return price
        return about["paid"] if about["funding"] == "CARD" else 0

    def _spread(self, about: list[dict[str, Any]], amount: int) -> list[tuple[dict[str, Any], int]]:
        """First what nothing has taken, then what refunds have, the latest capture first."""
        found = [0] * len(about)
        for refunds_count in (True, False):
            for nth, one in enumerate(about):
                live = (d for d in one["disputes"].values() if d["state"] != "WON")
                room = self._by_card(one) - found[nth] - sum(d["amount"] for d in live)
                room -= one["refunded"] if refunds_count else 0
                part = min(amount, max(0, room))
                found[nth] += part
                amount -= part
        found[-1] += amount
        return [(one, part) for one, part in zip(about, found, strict=True) if part]

    def _open(self, dispute: dict[str, Any], fee: int) -> None:
        about, amount = dispute["about"], dispute["amount"]
        before = self.standing(about) if "paid" in about else {}
        about["disputes"][dispute["id"]] = dispute
        psp = (f"psp.{dispute['processor']}", -amount - fee)
        self.money(("disputed", amount), ("exp.dispute", fee), psp)
        if "paid" in about:
            self.money(*self.moved(about, before))
        else:
            self._hold_unspent(about, dispute)

    def _suspense_disputed(
        self, fields: dict[str, Any], payment: dict[str, Any], entry: dict[str, Any]
    ) -> Verdict:
        ref, amount, fee = fields["processor_ref"], fields["amount"], fields["fee"]
        notes = self.notes(entry)
        if any(n["command"] == "open-dispute" and n["ref"] == ref for n in notes):
            return NOTHING
        if entry["currency"] is None:
            told = entry["notice"][1]["processor_ref"]
            self._takes_over((fields["processor"], ref), told, fee)
        self.note(payment, entry, fields, "open-dispute", disputed=amount, fee=fee, ref=ref)
        state = "LOST" if fields.get("final") else "OPEN"
        self.disputes[fields["processor"], ref] = {
            "state": state,
            "suspense": (payment, entry),
            "amount": amount,
            "fee": fee,
        }
        return ACCEPTED

    def close_dispute(self, fields: dict[str, Any]) -> Verdict:
        """What came of it; a win is for good."""
        dispute = self.disputes.get(fields["dispute"])
        if dispute is None:
            dispute = self.disputes.get((fields["processor"], fields["dispute"]))
        if dispute is None:
            return parked()
        won = fields["outcome"] == "WON"
        if dispute["state"] == fields["outcome"]:
            return NOTHING
        if dispute["state"] == "WON":
            return suspended("INVALID_TRANSITION", 0)
        kind = "suspense" if "suspense" in dispute else "parts"
        if self.of_another_currency(fields, kind, dispute.get("suspense")) is not None:
            return suspended("CURRENCY_MISMATCH", 0)
        if "suspense" in dispute:
            return self._suspense_closed(dispute, fields, won=won)
        after_loss = dispute["state"] == "LOST"
        for part in dispute["parts"]:
            (self._win if won else self._lose)(part)
        dispute["state"] = fields["outcome"]
        if not won or after_loss:
            self.marked(dispute["parts"], won=won)
        return ACCEPTED

    def marked(self, parts: list[dict[str, Any]], *, won: bool) -> None:
        """A buyer whose bank wins is remembered, and frozen where the policy wants it."""
        about = parts[0]["about"]
        user = about.get("buyer") or about["user"]
        amount = sum(part["amount"] for part in parts)
        marks = self.marks.setdefault(user, [0, 0])
        marks[0] += -1 if won else 1
        marks[1] += -amount if won else amount
        rule = (self.policy() or {}).get("risk") or {}
        disputes = marks[0] >= (rule.get("freeze_after_disputes") or EVERMORE)
        if not won and (disputes or marks[1] >= (rule.get("freeze_after_amount") or EVERMORE)):
            flag = ("wallet", user, "SPEND")
            if flag not in self.frozen:
                self.frozen_for[user].add(("person", ""))
            self.frozen.add(flag)

    def _suspense_closed(
        self, dispute: dict[str, Any], fields: dict[str, Any], *, won: bool
    ) -> Verdict:
        payment, entry = dispute["suspense"]
        policy = self.policy(self.happened(fields))
        fee = dispute["fee"] if policy and policy.get("dispute_fee_refundable") else 0
        more = {"disputed": -dispute["amount"], "fee": -fee} if won else {}
        self.note(payment, entry, fields, "close-dispute", ref="", **more)
        if won and fee and entry["currency"] is None:
            told = entry["notice"][1]["processor_ref"]
            self._takes_back((fields["processor"], fields["dispute"]), told, fee)
        dispute["state"] = fields["outcome"]
        return ACCEPTED

    def _lose(self, dispute: dict[str, Any]) -> None:
        sale = dispute["about"]
        if "paid" not in sale:
            self._lose_purchase(dispute)
            return
        legs = self._stands(sale, lambda: dispute.update(state="LOST"))
        taken = sum(value for _, value in legs)
        psp = (f"psp.{dispute['processor']}", dispute["amount"] - taken)
        self.money(*legs, ("disputed", -dispute["amount"]), psp)
        if self.over(sale):
            self.revoke(sale)

    def _win(self, dispute: dict[str, Any]) -> None:
        about, amount, fee = dispute["about"], dispute["amount"], dispute["fee"]
        was_lost = dispute["state"] == "LOST"
        psp = f"psp.{dispute['processor']}"
        self.money((psp, fee), ("exp.dispute", -fee))
        dispute["posted"] -= fee
        if fee and dispute["told"]:
            self._takes_back(dispute["told"], about.get("ref", ""), fee)
        if "paid" not in about:
            self._win_purchase(dispute)
            return
        legs = self._stands(about, lambda: dispute.update(state="WON"))
        if was_lost:
            self.money(*legs, (psp, -sum(value for _, value in legs)))
        else:
            self.money(*legs, (psp, amount), ("disputed", -amount))
        if was_lost and not self.over(about):
            for item in about["items"]:
                self.entitle(about, item)
