"""What processors report of refunds and of failed payments: of sales, and of money in suspense."""

from collections import Counter
from datetime import datetime
from typing import Any

from tests.reference_model.earnings import Sale
from tests.reference_model.suspense import SuspendedMoney
from tests.reference_model.verdicts import (
    NOTHING,
    OURS,
    Verdict,
    foreign,
    ignored,
    parked,
    suspended,
)

Fields = dict[str, Any]
NAMES = ("payment", "sale", "purchase", "payment_ref")


class Reports(SuspendedMoney):
    """Refunds as they were told, by sale and by payment in suspense."""

    def __init__(self, book: str) -> None:
        super().__init__(book)
        self.beyond: dict[str, int] = {}
        self.notices: dict[tuple[str, str], tuple[str, Any]] = {}
        self.noticed: Counter[tuple[str, str]] = Counter()
        #: What refunds in other currencies told of a sale or a purchase.
        self.foreign: Counter[tuple[str, str]] = Counter()

    def about(self, fields: Fields) -> tuple[str, Any]:
        """What a notice is about: sales, a purchase, suspense, an authorisation, or nothing yet."""
        (name,) = (field for field in NAMES if field in fields)
        given = fields[name]
        if name == "sale" and given in self.sales:
            return "sales", [self.sales[given]]
        if name == "purchase" and given in self.purchases:
            return "purchase", (given, self.purchases[given])
        if name == "payment" and given in self.sessions:
            if self.sessions[given]["state"] != "captured":
                return "authorized", given
            given = self.sessions[given]["fields"]["processor_ref"]
        payment = self.payments.get(given)
        if payment is None:
            return "nothing", None
        entry = self.in_suspense(payment, fields["processor"])
        foreign = payment.get("processor") != fields["processor"]
        if entry and (payment["state"] in ("suspended", "released") or foreign):
            return "suspense", (payment, entry)
        if foreign:
            return "nothing", None
        if "purchase" in payment:
            return "purchase", (payment["purchase"], self.purchases[payment["purchase"]])
        if "sale" in payment:
            ids = [payment["sale"], *payment.get("further", [])]
            return "sales", [self.sales[one] for one in reversed(ids)]
        if "authorization" in payment:
            return "authorized", payment["authorization"]
        return "nothing", None

    def record_refund(self, fields: Fields) -> Verdict:
        """Money went back."""
        verdict = self._recorded(fields)
        if verdict.outcome == "ignored":
            self.notices.setdefault((fields["processor"], fields["processor_ref"]), ("stale", None))
        return verdict

    def _recorded(self, fields: Fields) -> Verdict:
        kind, found = self.about(fields)
        if kind in ("nothing", "authorized"):
            return parked()
        if (other := self.of_another_currency(fields, kind, found)) is not None:
            return self._foreign_refund(fields, kind, found, other)
        if kind == "purchase":
            return self._of_purchase(fields, *found)
        if kind == "suspense":
            return self._out_of_suspense(fields, *found)
        return self._of_sales(fields, found)

    def of_another_currency(self, fields: Fields, kind: str, found: Any) -> str | None:
        """The currency of a notice's figures, where what it is about has another one."""
        own = found[1].get("currency") if kind == "suspense" else None
        return self.other_currency(fields, own)

    def _foreign_refund(self, fields: Fields, kind: str, found: Any, currency: str) -> Verdict:
        """It waits in its own currency; a cumulative figure goes on from those before it."""
        if kind == "suspense":
            new, subject = self._new(fields, 0), None
        else:
            subject = found[0] if kind == "purchase" else found[0]["id"]
            new = self._new(fields, self.foreign[subject, currency])
            self.foreign[subject, currency] += new or 0
        if new is None:
            return ignored()
        self.notices[fields["processor"], fields["processor_ref"]] = "foreign", subject
        return foreign(-new, currency)

    def _foreign_refund_failed(self, fields: Fields, subject: str | None) -> Verdict:
        """What waits of it comes back, in its currency."""
        payment, processor = self.payment(fields["refund"]), fields["processor"]
        waiting = [
            one
            for one in payment["waiting"]
            if one["processor"] == processor
            and one["notice"][0] == "record-refund"
            and one["amount"] < 0
        ]
        if any(self.other_currency(fields, one["currency"]) is not None for one in waiting):
            return suspended("CURRENCY_MISMATCH", 0)
        for one in waiting:
            back, money = -one["amount"], one["currency"] or OURS
            self.post(money, (f"psp.{processor}", back), ("suspense", -back))
            payment["waiting"].remove(one)
            if subject is not None and one["currency"]:
                self.foreign[subject, money] -= back
        self.name_by_what_waits(payment)
        return Verdict("accepted") if waiting else NOTHING

    def _of_purchase(self, fields: Fields, name: str, purchase: Fields) -> Verdict:
        raise NotImplementedError

    def _purchase_refund_failed(self, fields: Fields, purchase: Fields, part: int) -> Verdict:
        raise NotImplementedError

    def _purchase_failed(self, fields: Fields, purchase: Fields) -> Verdict:
        raise NotImplementedError

    def _new(
        self, fields: Fields, known: int, bounced: int = 0, failed: datetime | None = None
    ) -> int | None:
        """What is new in a figure; None if it says nothing new."""
        if "amount" in fields:
            amount: int = fields["amount"]
            return amount
        cumulative: int = fields["cumulative"]
        if failed is not None and self.happened(fields) < failed:
            return None
        return cumulative - known if cumulative > known + bounced else None

    def _of_sales(self, fields: Fields, sales: list[Sale]) -> Verdict:
        known = sum(one["amount"] for sale in sales for one in self.told_of(sale))
        bounced = sum(self.bounced(sale) for sale in sales if sale["funding"] == "CARD")
        failures = [sale["failed_at"] for sale in sales if "failed_at" in sale]
        new = self._new(fields, known, bounced, max(failures, default=None))
        if new is None:
            return ignored()
        numbers: dict[str, int] = {}
        rooms = [self._rooms(sale) for sale in sales]
        parts = [min(room[0], new - sum(r[0] for r in rooms[:n])) for n, room in enumerate(rooms)]
        parts = [max(0, part) for part in parts]
        rest = new - sum(parts)
        for nth, room in enumerate(rooms):
            more = min(rest, room[1] - parts[nth])
            parts[nth] += more
            rest -= more
        nth_made = 0
        for sale, part in zip(sales, parts, strict=True):
            if part:
                refund = f"{self.new_id}-{nth_made + 1}" if nth_made else self.new_id
                self._bears(sale, part, fields, refund)
                nth_made += 1
                numbers = numbers or {"amount": part}
        self.notices[fields["processor"], fields["processor_ref"]] = "sales", sales
        if not rest:
            return Verdict("accepted", numbers=numbers)
        entry = {"refund": "", "ref": fields["processor_ref"], "amount": rest, "over": rest}
        self.told_of(sales[0]).append(entry)
        return suspended("INVALID_TRANSITION", -rest)

    def told_of(self, sale: Sale) -> list[Fields]:
        """The refunds of a sale by card that were told of and stand."""
        found: list[Fields] = sale.setdefault("told", [])
        return found

    def _rooms(self, sale: Sale) -> tuple[int, int]:
        """What refunds can take beside lost disputes, and in all."""
        if sale["funding"] != "CARD":
            return 0, 0
        left = sale["paid"] - sale["refunded"]
        return max(0, left - self.lost(sale)), left

    def went_back_of(self, sale: Sale) -> int:
        """All that refunds were told of, and what a failed payment took."""
        told: int = sum(one["amount"] for one in self.told_of(sale))
        return told + self.bounced(sale)

    def _bears(self, sale: Sale, amount: int, fields: Fields, refund: str) -> None:
        legs = self._stands(sale, lambda: self._take(sale, amount, fields, refund))
        self.money(*legs, (f"psp.{fields['processor']}", -sum(value for _, value in legs)))
        if self.over(sale):
            self.revoke(sale)

    def _take(self, sale: Sale, amount: int, fields: Fields, refund: str) -> None:
        sale["refunded"] += amount
        self.noticed[fields["processor"], fields["processor_ref"]] += amount
        told, rest = self.told_of(sale), amount
        done = self.confirm(sale, amount)
        for name, part in done:
            told.append({"refund": name, "ref": fields["processor_ref"], "amount": part})
            rest -= part
        if rest:
            name = "" if done else refund
            told.append({"refund": name, "ref": fields["processor_ref"], "amount": rest})
            self.refunds.setdefault(name or done[0][0], "recorded")

    def _stands(self, sale: Sale, change: Any) -> list[tuple[str, int]]:
        """The legs of what `change` makes of a sale; they add up to what the processor took."""
        before = self.standing(sale)
        change()
        return self.moved(sale, before)

    def fail_refund(self, fields: Fields) -> Verdict:
        """It never went back."""
        name = fields["refund"]
        if name in self.refunds and self.other_currency(fields) is not None:
            return suspended("CURRENCY_MISMATCH", 0)
        if name in self.refunds:
            sales = [
                sale
                for sale in self.sales.values()
                if any(one["refund"] == name for one in self.told_of(sale))
                or any(one == name for one, _ in sale["in_flight"])
            ]
            if not sales:
                return NOTHING if self.refunds[name] != "tokens" else self._odd()
            return self._failed(sales[:1], fields, lambda one: one["refund"] == name, {name})
        kind, found = self.notices.get((fields["processor"], name), ("nothing", None))
        if kind == "nothing":
            return parked()
        if kind == "stale":
            return ignored()
        if kind == "foreign":
            return self._foreign_refund_failed(fields, found)
        if self.of_another_currency(fields, kind, found) is not None:
            return suspended("CURRENCY_MISMATCH", 0)
        if kind == "purchase":
            key = fields["processor"], name
            self.notices[key] = "failed", None
            return self._purchase_refund_failed(fields, *found[1:])
        if kind == "failed":
            return NOTHING
        if kind == "beyond":
            return self._odd()
        if any(sale["funding"] != "CARD" for sale in found if kind == "sales"):
            return self._odd()
        if kind == "suspense":
            return self._into_suspense(fields, *found)
        return self._failed(found, fields, lambda one: one["ref"] == name, set())

    def _odd(self) -> Verdict:
        return suspended("INVALID_TRANSITION", 0)

    def _failed(self, sales: list[Sale], fields: Fields, gone: Any, names: set[str]) -> Verdict:
        """Each sale as it would be without what is gone."""
        verdict = NOTHING
        for sale in sales:
            told = self.told_of(sale)
            lost = [one for one in told if gone(one)]
            kept = [one for one in told if not gone(one)]
            requests = names | {one["refund"] for one in lost} - {one["refund"] for one in kept}
            requests -= {one["refund"] for one in kept}
            freed = [one for one in sale["in_flight"] if one[0] in requests]
            if not lost and not freed:
                continue
            verdict = Verdict("accepted")
            sale["in_flight"] = [one for one in sale["in_flight"] if one not in freed]
            for name in names | {one["refund"] for one in lost}:
                self.refunds[name] = "failed"
            if lost:
                self._without(sale, lost, kept, fields)
        return verdict

    def _without(self, sale: Sale, lost: list[Fields], kept: list[Fields], fields: Fields) -> None:
        before, was_over = sale["refunded"], self.over(sale)
        total = sum(one["amount"] for one in kept)
        over_before = {id(one): one.get("over", 0) for one in (*lost, *kept)}

        def change() -> None:
            sale["told"], sale["refunded"] = kept, min(sale["paid"], total)

        legs = self._stands(sale, change)
        self.money(*legs, (f"psp.{fields['processor']}", -sum(value for _, value in legs)))
        assert before >= sale["refunded"]
        at = self.happened(fields)
        sale["failed_at"] = max(at, sale.get("failed_at", at))
        if was_over and not self.over(sale):
            for item in sale["items"]:
                self.entitle(sale, item)
        room = sale["paid"]
        for one in kept:
            borne = min(room, one["amount"])
            room -= borne
            one["over"] = one["amount"] - borne
        for one in lost:
            borne = one["amount"] - over_before[id(one)]
            self.noticed[fields["processor"], one["ref"]] -= borne
            one["over"] = 0
        for one in (*lost, *kept):
            back = over_before[id(one)] - one.get("over", 0)
            if back:
                self._less_beyond(one["ref"], back, fields)

    def _less_beyond(self, ref: str, back: int, fields: Fields) -> None:
        """What went beyond a sale under a reference is `back` less."""
        processor = fields["processor"]
        self.money((f"psp.{processor}", back), ("suspense", -back))
        payment = self.payment(ref)
        for entry in list(payment["waiting"]):
            ours = entry["processor"] == processor and entry["currency"] is None
            if entry["amount"] < 0 and ours:
                part = min(back, -entry["amount"])
                entry["amount"] += part
                back -= part
                if not entry["amount"]:
                    payment["waiting"].remove(entry)
        if back:
            entry = {"processor": processor, "amount": back, "notice": ("fail-refund", fields)}
            payment["waiting"].append({**entry, "currency": None})
        self.name_by_what_waits(payment)

    def fail_payment(self, fields: Fields) -> Verdict:
        """A payment failed, perhaps after it had succeeded."""
        kind, found = self.about(fields)
        if kind == "nothing":
            return parked()
        if self.of_another_currency(fields, kind, found) is not None:
            return suspended("CURRENCY_MISMATCH", 0)
        if kind == "authorized":
            return self.withdrawn(found)
        if kind == "purchase":
            return self._purchase_failed(fields, found[1])
        if kind == "suspense":
            payment, entry = found
            if any(note.get("failed") for note in self.notes(entry)):
                return NOTHING
            self.note(payment, entry, fields, "fail-payment", failed=True)
            return Verdict("accepted")
        if any(sale["funding"] != "CARD" or not sale["paid"] for sale in found):
            return suspended("INVALID_TRANSITION", 0)
        verdict = NOTHING
        for sale in found:
            if not sale.get("failed"):
                verdict = Verdict("accepted")
                self._bounce(sale, fields)
        return verdict

    def _bounce(self, sale: Sale, fields: Fields) -> None:
        legs = self._stands(sale, lambda: sale.update(failed=True))
        self.money(*legs, (f"psp.{fields['processor']}", -sum(value for _, value in legs)))
        at = self.happened(fields)
        sale["failed_at"] = max(at, sale.get("failed_at", at))
        for name, _ in sale["in_flight"]:
            self.refunds[name] = "failed"
        sale["in_flight"] = []
        if self.over(sale):
            self.revoke(sale)

    def _out_of_suspense(self, fields: Fields, payment: Fields, entry: Fields) -> Verdict:
        notes = self.notes(entry)
        refunded = sum(note.get("refunded", 0) for note in notes)
        open_return = sum(note.get("unconfirmed", 0) for note in notes)
        failed = any(note.get("failed") for note in notes)
        bounced = max(0, entry["amount"] - refunded) if failed else 0
        new = self._new(fields, refunded - open_return, bounced)
        if new is None:
            return ignored()
        confirmed = min(new, open_return)
        self.note(
            payment,
            entry,
            fields,
            "record-refund",
            refunded=new - confirmed,
            unconfirmed=-confirmed,
        )
        self.notices[fields["processor"], fields["processor_ref"]] = "suspense", (payment, entry)
        return Verdict("accepted")

    def _into_suspense(self, fields: Fields, payment: Fields, entry: Fields) -> Verdict:
        back = self.refunded_under(entry, fields["refund"])
        if not back:
            return NOTHING
        self.note(payment, entry, fields, "fail-refund", refunded=-back)
        return Verdict("accepted")
