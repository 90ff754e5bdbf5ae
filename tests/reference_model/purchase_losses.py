"""Losses of purchases: who bears them is the product's to say; the auditor checks it and believes.

It holds what is told against what was bought, what each creator has, and what bank and processor
took. Money back never exceeds money in, and no debt stands without a cause.
"""

from fractions import Fraction
from math import floor
from typing import Any

from tests.reference_model.debts import Debts
from tests.reference_model.reports import Fields
from tests.reference_model.verdicts import NOTHING, Verdict, ignored, rejected, suspended


class PurchaseLosses(Debts):
    """What became of purchases that were lost or refunded."""

    #: The postings of those who bear what was told last.
    _borne: list[tuple[str, int]]

    def _told(self, kind: str) -> list[dict[str, Any]]:
        return [body for name, body in self.told if name == f"dispute.{kind}.v1"]

    def _of_purchase(self, fields: Fields, name: str, purchase: Fields) -> Verdict:
        """A purchase bears its price, less what was sent back; the rest waits in suspense."""
        beyond, taken = self.beyond.get(name, 0), purchase.get("taken", 0)
        known = beyond + taken + purchase["refunded"]
        new = self._new(fields, known, self.bounced_of(purchase), purchase.get("failed_at"))
        if new is None:
            return ignored()
        if "bearer" not in purchase and self.policy(self.happened(fields)) is None:
            return suspended("NO_POLICY", -new)
        part = min(new, max(0, purchase["price"] - purchase["refunded"] - taken))
        if part:
            key = fields["processor"], fields["processor_ref"]
            self.notices[key] = "purchase", (name, purchase, part)
            self.takes(purchase, fields, "purchase.taken_back.v1", taken=taken + part)
        if part == new:
            return Verdict("accepted", numbers={"amount": part})
        if not part:
            self.notices[fields["processor"], fields["processor_ref"]] = "beyond", None
        self.beyond[name] = beyond + new - part
        return suspended("INVALID_TRANSITION", part - new)

    def _purchase_refund_failed(self, fields: Fields, purchase: Fields, part: int) -> Verdict:
        at = self.happened(fields)
        failed_at = max(at, purchase.get("failed_at", at))
        taken = purchase["taken"] - part
        kind = "purchase.taken_back.v1"
        self.takes(purchase, fields, kind, taken=taken, failed_at=failed_at)
        return Verdict("accepted")

    def _purchase_failed(self, fields: Fields, purchase: Fields) -> Verdict:
        if purchase.get("failed"):
            return NOTHING
        at = self.happened(fields)
        if "bearer" not in purchase and self.policy(at) is None:
            return suspended("NO_POLICY", 0)
        failed_at = max(at, purchase.get("failed_at", at))
        kind = "purchase_payment.failed.v1"
        self.takes(purchase, fields, kind, failed=True, failed_at=failed_at)
        return Verdict("accepted")

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
            for priced in body.get("repriced", []):
                lot = named(priced, mine)
                released += self._worth_left(lot) - priced["price"]
                left = lot["tokens"] - lot["used"]
                lot |= {"tokens": left, "price": priced["price"], "used": 0}
        return released

    def _worth_left(self, lot: dict[str, Any]) -> int:
        """What the rest of a lot would release."""
        whole: int = lot["price"]
        return whole - floor(Fraction(whole * lot["used"], lot["tokens"]))

    def restate(self) -> None:
        """Tokens are back of purchases that were lost in part: nobody bears more than before."""
        for body in self._told_as("purchase_loss.restated.v1"):
            purchase = self.purchases[body["purchase_id"]]
            assert self._settled(purchase) or self.disputed(purchase, "OPEN"), body
            # But for a cent: a token that comes back may be worth less than the average one.
            assert body.get("debt", 0) <= 1, body
            assert body.get("released", 0) >= -1, body
            assert body.get("released", 0) == self._tokens(purchase, body), body
            owed = self.owes(purchase, body.get("debt", 0), [body])
            self.money(*self._charged(purchase, body), *self._legs(purchase, body), *owed)
            self.freezes(purchase)

    def _told_as(self, kind: str) -> list[dict[str, Any]]:
        return [body for name, body in self.told if name == kind]

    def _legs(self, purchase: dict[str, Any], sums: dict[str, Any]) -> list[tuple[str, int]]:
        """What others than creators and the buyer bear."""
        return [
            ("rev.margin", sums.get("platform_share", 0)),
            (f"vat.{purchase['country'] or ''}", sums.get("tax", 0)),
            ("deferred", sums.get("released", 0)),
            ("exp.promo", sums.get("promo", 0)),
            ("rev.breakage", sums.get("breakage", 0)),
            ("exp.baddebt", sums.get("excess", 0)),
        ]

    def lots_of(self, purchase: dict[str, Any]) -> list[dict[str, Any]]:
        """The lots of a purchase, those that came back included."""
        (bought,) = (key for key, one in self.purchases.items() if one is purchase)
        return [lot for lot in self.lots[purchase["user"]] if lot["purchase"] == bought]

    def _settled(self, purchase: dict[str, Any]) -> int:
        """What was lost of the price; there is no more of it than no refund sent back."""
        left: int = purchase["price"] - purchase["refunded"]
        lost: int = self.disputed(purchase, "LOST") + purchase.get("taken", 0)
        return left if purchase.get("failed") else min(left, lost)

    def bounced_of(self, purchase: dict[str, Any]) -> int:
        left: int = purchase["price"] - purchase["refunded"]
        lost: int = self.disputed(purchase, "LOST") + purchase.get("taken", 0)
        return max(0, left - lost) if purchase.get("failed") else 0

    def takes(
        self, purchase: dict[str, Any], fields: dict[str, Any], kind: str, **after: Any
    ) -> None:
        before = self._settled(purchase), self._out(purchase)
        purchase |= after
        told = self._told_as(kind)
        amount = self._out(purchase) - before[1]
        policy = self.policy(self.happened(fields)) or {}
        purchase.setdefault("bearer", policy.get("dispute_bearer"))
        sums = self._purchase_bears(purchase, told, before[0], amount)
        assert sums["amount"] - sums["bounced"] == amount, sums
        self.money((f"psp.{fields['processor']}", -amount), *self._borne)
        self.freezes(purchase)

    def _out(self, purchase: dict[str, Any]) -> int:
        """What banks and the processor have taken, whether it was there or not."""
        lost: int = self.disputed(purchase, "LOST") + purchase.get("taken", 0)
        return lost + self.bounced_of(purchase)

    def freezes(self, purchase: dict[str, Any], *, lost: bool = False) -> None:
        """What a loss freezes ends with it, or with the debt."""
        (name,) = (key for key, one in self.purchases.items() if one is purchase)
        why = self.frozen_for[purchase["user"]]
        if lost:
            why.add(("lost", name))
        elif not self.disputed(purchase, "LOST"):
            why.discard(("lost", name))
        taken = purchase.get("taken") or purchase.get("failed")
        (why.add if taken and purchase.get("debt", 0) > 0 else why.discard)(("taken", name))
        frozen = ("wallet", purchase["user"], "SPEND")
        if why:
            self.frozen.add(frozen)
        elif frozen in self.frozen:
            self.frozen.discard(frozen)

    def _lose_purchase(self, dispute: dict[str, Any]) -> None:
        moved = self._end_purchase(dispute, "LOST", self._told("lost"))
        psp = (f"psp.{dispute['processor']}", dispute["amount"] - moved)
        self.money(("disputed", -dispute["amount"]), psp, *self._borne)
        self.freezes(dispute["about"], lost=True)

    def _win_purchase(self, dispute: dict[str, Any]) -> None:
        was_lost, amount = dispute["state"] == "LOST", dispute["amount"]
        moved = self._end_purchase(dispute, "WON", self._told("won"))
        source = [] if was_lost else [("disputed", -amount)]
        back = -moved if was_lost else amount
        self.money((f"psp.{dispute['processor']}", back), *source, *self._borne)
        self.freezes(dispute["about"])

    def _end_purchase(self, dispute: dict[str, Any], state: str, told: list[dict[str, Any]]) -> int:
        """What banks and the processor have more, all in all, once the dispute has ended."""
        purchase = dispute["about"]
        before = self._settled(purchase), self._out(purchase)
        dispute["state"] = state
        moved = self._out(purchase) - before[1]
        purchase.setdefault("bearer", dispute["bearer"])
        sums = self._purchase_bears(purchase, told, before[0], moved)
        assert sums["amount"] == dispute["amount"], sums
        if state == "LOST":
            assert sums["bounced"] == dispute["amount"] - moved, sums
        return moved

    def _purchase_bears(
        self, purchase: dict[str, Any], told: list[dict[str, Any]], before: int, moved: int
    ) -> dict[str, int]:
        """Who bears how much is told; what must be true of it is checked."""
        names = ("amount", "released", "tax", "debt", "platform_share", "excess", "bounced")
        names += ("breakage", "promo")
        sums = {name: sum(body.get(name, 0) for body in told) for name in names}
        assert sums["released"] == self._tokens(purchase, *told), sums
        settled = self._settled(purchase)
        assert sums["excess"] == moved - (settled - before), (sums, settled)
        purchase["lost_tax"] = purchase.get("lost_tax", 0) + sums["tax"]
        assert 0 <= purchase["lost_tax"] <= purchase["tax"] - purchase["refunded_tax"], sums
        legs = [leg for body in told for leg in self._charged(purchase, body)]
        if purchase["bearer"] == "PLATFORM":
            assert not legs and not sums["platform_share"], sums
        owed = self.owes(purchase, sums["debt"], told)
        assert 0 <= purchase["debt"] <= settled, (purchase, sums)
        self._borne = [*legs, *self._legs(purchase, sums), *owed]
        return sums

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
        if self.is_unlisted(fields):
            return rejected("REFUND_REASON_UNKNOWN")
        if any(one["state"] == "OPEN" for one in purchase["disputes"].values()):
            return rejected("DISPUTE_OPEN")
        mine = [lot for lot in self.lots_of(purchase) if self.free(lot)]
        told = self._told_as("token_purchase.refunded.v1")
        spent = self._bonus_used(purchase) - purchase["deducted"]
        out = purchase["refunded"] + self._settled(purchase)
        if not told:
            unspent = any(lot["kind"] == "PAID" for lot in mine)
            owes = spent > 0 or purchase.get("debt", 0) or self._settled(purchase)
            worthless = not self._worth(mine)
            assert not unspent or owes or worthless, "tokens that are left are refunded"
            return rejected("REFUND_EXCEEDS_REMAINING", remaining=0)
        (body,) = told
        released = sum(self.release(lot, self._leaves(purchase, lot)) for lot in mine)
        tax, deducted = body["tax"], body["deducted"]
        settled, rounding = body.get("settled", 0), body.get("rounding", 0)
        taken = purchase["refunded_tax"] + purchase.get("lost_tax", 0)
        assert 0 <= tax <= purchase["tax"] - taken, body
        if spent >= 0:
            assert body["bonus_spent"] == spent, (body, spent)
            assert deducted == spent * (policy.get("unit_value") or 0), body
        assert settled in (0, purchase.get("debt", 0)), body
        amount = released + tax - deducted - settled - rounding
        assert 0 < amount <= purchase["price"] - out, (purchase, body)
        owed = self.owes(purchase, -settled, [body])
        self.freezes(purchase)
        purchase["deducted"] += body["bonus_spent"]
        purchase["refunded"] += amount
        purchase["refunded_tax"] += tax
        self.money(
            ("deferred", released),
            (f"vat.{purchase['country'] or ''}", tax),
            ("exp.promo", -deducted),
            *owed,
            ("rev.margin", -rounding),
            (f"psp.{purchase['processor']}", -amount),
        )
        return Verdict("accepted", numbers={"released": released, "amount": amount})

    def _bonus_used(self, purchase: dict[str, Any]) -> int:
        """What is neither free of the bonus nor gone without a use: holds may use it yet."""
        bonus = [lot for lot in self.lots_of(purchase) if lot["kind"] == "PROMO"]
        left = sum(self.free(lot) for lot in bonus)
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
