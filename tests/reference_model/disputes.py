"""Disputes: of sales by card they are reckoned anew; of purchases they are checked and believed.

How the loss of a purchase falls on the sales that its tokens paid is the product's to say; the
auditor holds it against what was bought, what each creator has, and what the bank took.
"""

from fractions import Fraction
from math import floor
from typing import Any

from tests.reference_model.reports import Reports
from tests.reference_model.verdicts import ACCEPTED, NOTHING, Verdict, parked, rejected, suspended

#: More than can be lost.
EVERMORE = 10**18


class Disputes(Reports):
    """Disputes by id and by reference."""

    def __init__(self, book: str) -> None:
        super().__init__(book)
        self.disputes: dict[str, dict[str, Any]] = {}
        self.marks: dict[str, list[int]] = {}
        self._borne: list[tuple[str, int]] = []

    def open_dispute(self, fields: dict[str, Any]) -> Verdict:
        """A bank takes back what was paid, and what it takes beyond that is lost to us."""
        ref, amount, fee = fields["processor_ref"], fields["amount"], fields["fee"]
        known = self.disputes.get(ref)
        if known is not None and "parts" in known:
            return NOTHING
        kind, found = self.about(fields)
        if kind in ("nothing", "authorized"):
            return parked()
        if kind == "suspense":
            return self._suspense_disputed(fields, *found)
        about = [found[1]] if kind == "purchase" else found
        if not any(self._by_card(one) for one in about):
            return suspended("INVALID_TRANSITION", -amount - fee)
        policy = self.policy(self.happened(fields))
        if policy is None:
            return suspended("NO_POLICY", -amount - fee)
        parts: list[dict[str, Any]] = []
        for one, part in self._spread(about, amount):
            dispute = {
                "id": f"{self.new_id}-{len(parts) + 1}" if parts else self.new_id,
                "about": one,
                "amount": part,
                "posted": 0 if parts else fee,
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
        self.note(payment, entry, fields, "open-dispute", disputed=amount, fee=fee, ref=ref)
        state = "LOST" if fields.get("final") else "OPEN"
        self.disputes[ref] = {
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
            return parked()
        won = fields["outcome"] == "WON"
        if dispute["state"] == fields["outcome"]:
            return NOTHING
        if dispute["state"] == "WON":
            return suspended("INVALID_TRANSITION", 0)
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
            self.frozen.add(("wallet", user, "SPEND"))

    def _suspense_closed(
        self, dispute: dict[str, Any], fields: dict[str, Any], *, won: bool
    ) -> Verdict:
        payment, entry = dispute["suspense"]
        if entry["processor"] != fields["processor"]:
            return suspended("INVALID_TRANSITION", 0)
        policy = self.policy(self.happened(fields))
        fee = dispute["fee"] if policy and policy.get("dispute_fee_refundable") else 0
        more = {"disputed": -dispute["amount"], "fee": -fee} if won else {}
        self.note(payment, entry, fields, "close-dispute", ref="", **more)
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

    def _told(self, kind: str) -> list[dict[str, Any]]:
        return [body for name, body in self.told if name == f"dispute.{kind}.v1"]

    def _hold_unspent(self, purchase: dict[str, Any], dispute: dict[str, Any]) -> None:
        """No more than the purchase's own free tokens, all of them if all of it is disputed."""
        self._tokens(purchase, *self._told("opened"))
        if dispute["amount"] == purchase["price"] and not purchase["refunded"]:
            left = [lot for lot in self.lots_of(purchase) if self.free(lot)]
            assert not left, left

    def _tokens(self, purchase: dict[str, Any], *told: dict[str, Any]) -> int:
        """What became of the purchase's tokens; what they release, or take back."""
        user, mine, released = purchase["user"], self.lots_of(purchase), 0
        for body in told:
            for use in body.get("restored", []):
                lot, tokens = named(use, mine), use["tokens"]
                assert self.release(lot, -tokens) == -use["released"], use
                self.unused(lot, -tokens)
                self.supply(user, lot["kind"], tokens)
                released -= use["released"]
            for use in body.get("held", []):
                assert use["tokens"] <= self.free(named(use, mine)), use
                self.hold(user, named(use, mine), use["tokens"])
            for use in body.get("lots", []):
                self.unused(named(use, mine), use["tokens"])
                assert self.consume_held(user, named(use, mine), use["tokens"]) == use["released"]
                released += use["released"]
            for use in body.get("freed", []):
                self.hold(user, named(use, mine), -use["tokens"])
        return released

    def lots_of(self, purchase: dict[str, Any]) -> list[dict[str, Any]]:
        """The lots of a purchase, those that came back included."""
        (bought,) = (key for key, one in self.purchases.items() if one is purchase)
        return [lot for lot in self.lots[purchase["user"]] if lot["purchase"] == bought]

    def _settled(self, purchase: dict[str, Any]) -> int:
        """What lost disputes took of the price; there is no more of it than was left."""
        left: int = purchase["price"] - purchase["refunded"]
        return min(left, self.disputed(purchase, "LOST"))

    def _lose_purchase(self, dispute: dict[str, Any]) -> None:
        self._end_purchase(dispute, "LOST", self._told("lost"))
        self.money(("disputed", -dispute["amount"]), *self._borne)
        self.frozen.add(("wallet", dispute["about"]["user"], "SPEND"))

    def _win_purchase(self, dispute: dict[str, Any]) -> None:
        was_lost, amount = dispute["state"] == "LOST", dispute["amount"]
        self._end_purchase(dispute, "WON", self._told("won"))
        source = [] if was_lost else [("disputed", -amount)]
        self.money((f"psp.{dispute['processor']}", amount), *source, *self._borne)

    def _end_purchase(
        self, dispute: dict[str, Any], state: str, told: list[dict[str, Any]]
    ) -> None:
        """Who bears how much is told; what must be true of it is checked."""
        purchase, user = dispute["about"], dispute["about"]["user"]
        names = ("amount", "released", "tax", "debt", "platform_share", "excess")
        sums = {name: sum(body.get(name, 0) for body in told) for name in names}
        assert sums["amount"] == dispute["amount"], sums
        assert sums["released"] == self._tokens(purchase, *told), sums
        was_lost, before = dispute["state"] == "LOST", self._settled(purchase)
        dispute["state"] = state
        settled = self._settled(purchase) - before
        lost = {"LOST": 1, "WON": -1 if was_lost else 0}[state] * dispute["amount"]
        assert sums["excess"] == lost - settled, (sums, settled)
        purchase["lost_tax"] = purchase.get("lost_tax", 0) + sums["tax"]
        assert 0 <= purchase["lost_tax"] <= purchase["tax"] - purchase["refunded_tax"], sums
        legs = [leg for body in told for leg in self._charged(purchase, body)]
        if dispute["bearer"] == "PLATFORM":
            assert not legs and not sums["platform_share"], sums
        self.debts[user] += sums["debt"]
        self._borne = [
            *legs,
            ("rev.margin", sums["platform_share"]),
            (f"vat.{purchase['country'] or ''}", sums["tax"]),
            ("deferred", sums["released"]),
            (f"fan_debt.{user}", sums["debt"]),
            ("exp.baddebt", sums["excess"]),
        ]

    def _charged(self, purchase: dict[str, Any], body: dict[str, Any]) -> list[tuple[str, int]]:
        """What creators bear of it: never more than they still have of a sale."""
        legs = []
        (bought,) = (key for key, one in self.purchases.items() if one is purchase)
        for claw in body.get("shares", []):
            sale, amount = self.sales[claw["sale_id"]], claw.get("share", 0)
            assert any(use["lot"]["purchase"] == bought for use in sale["uses"]), claw
            (one,) = (one for one in sale["earnings"] if one["creator"] == claw["creator"])
            one["charged"][bought] += amount
            assert 0 <= one["charged"][bought] <= one["share"], claw
            assert amount <= one["has"], claw
            legs += self.change(one, one["has"] - amount, one["held"])
            if body.get("cleared"):
                assert not one["charged"].pop(bought), claw
        return legs

    def refund_purchase(self, fields: dict[str, Any]) -> Verdict:
        """What is unspent of a purchase goes back, less what its spent bonus is worth."""
        purchase, policy = self.purchases.get(fields["purchase"]), self.policy()
        if purchase is None:
            return rejected("UNKNOWN_PURCHASE")
        if policy is None:
            return rejected("NO_POLICY")
        if any(one["state"] == "OPEN" for one in purchase["disputes"].values()):
            return rejected("DISPUTE_OPEN")
        mine = [lot for lot in self.lots_of(purchase) if self.free(lot)]
        told = [body for kind, body in self.told if kind == "token_purchase.refunded.v1"]
        spent = max(0, self._bonus_used(purchase) - purchase["deducted"])
        if not told:
            unspent = any(lot["kind"] == "PAID" for lot in mine)
            worthless = not self._worth(mine)
            assert not unspent or spent or worthless, "tokens that are left are refunded"
            return rejected("REFUND_EXCEEDS_REMAINING", remaining=0)
        (body,) = told
        released = sum(self.release(lot, self._leaves(purchase, lot)) for lot in mine)
        tax, deducted = body["tax"], body["deducted"]
        taken = purchase["refunded_tax"] + purchase.get("lost_tax", 0)
        assert 0 <= tax <= purchase["tax"] - taken, body
        assert body["bonus_spent"] == spent, (body, spent)
        assert deducted == min(released + tax, spent * (policy.get("unit_value") or 0)), body
        amount = released + tax - deducted
        purchase["deducted"] += spent
        purchase["refunded"] += released + tax
        purchase["refunded_tax"] += tax
        purchase["sent_back"] = purchase.get("sent_back", 0) + amount
        self.money(
            ("deferred", released),
            (f"vat.{purchase['country'] or ''}", tax),
            ("exp.promo", -deducted),
            (f"psp.{purchase['processor']}", -amount),
        )
        return Verdict("accepted", numbers={"released": released, "amount": amount})

    def _bonus_used(self, purchase: dict[str, Any]) -> int:
        """What is neither left of the bonus nor gone without a use."""
        bonus = [lot for lot in self.lots_of(purchase) if lot["kind"] == "PROMO"]
        left = sum(lot["tokens"] - lot["used"] for lot in bonus)
        used: int = purchase["bonus"] - purchase["unused"] - left
        return used

    def _leaves(self, purchase: dict[str, Any], lot: dict[str, Any]) -> int:
        tokens = self.free(lot)
        self.unused(lot, tokens)
        self.supply(purchase["user"], lot["kind"], -tokens)
        return tokens

    def _worth(self, lots: list[dict[str, Any]]) -> int:
        return sum(
            floor(Fraction(lot["price"] * (lot["used"] + self.free(lot)), lot["tokens"]))
            - floor(Fraction(lot["price"] * lot["used"], lot["tokens"]))
            for lot in lots
        )


def named(use: dict[str, Any], lots: list[dict[str, Any]]) -> dict[str, Any]:
    """The lot of a told use: lots have their places, told uses their names."""
    at = str(use["lot"]).split("_")
    first = at[0].removesuffix("b") if use["kind"] == "PROMO" else at[0]
    found = []
    for lot in lots:
        purchase, by, nth = lot["place"]
        rest = [by, str(nth)] if by else []
        if [purchase, *rest] == [first, *at[1:]] and lot["kind"] == use["kind"]:
            found.append(lot)
    (one,) = found
    return one
