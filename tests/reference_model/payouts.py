"""Payouts: asked for by one person, agreed to by another, and then the processor's word counts."""

from datetime import timedelta
from typing import Any

from tests.reference_model.disputes import Disputes
from tests.reference_model.verdicts import ACCEPTED, NOTHING, Verdict, of, rejected

STEPS = {
    "approve-payout": (("requested",), "approved"),
    "reject-payout": (("requested", "approved"), "rejected"),
    "submit-payout": (("approved",), "submitted"),
    "confirm-payout": (("submitted",), "paid"),
    "fail-payout": (("submitted",), "failed"),
    "return-payout": (("paid",), "returned"),
}


class Payouts(Disputes):
    """Payouts by id, and what is known of creators."""

    def __init__(self, book: str) -> None:
        super().__init__(book)
        self.payouts: dict[str, dict[str, Any]] = {}

    def verify_creator(self, fields: dict[str, Any]) -> Verdict:
        """Somebody looked at a passport."""
        known = self.creators[fields["creator"]]
        if known["verified"] == fields["verified"]:
            return NOTHING
        known["verified"] = fields["verified"]
        return ACCEPTED

    def set_payout_account(self, fields: dict[str, Any]) -> Verdict:
        """Whether and where a creator can be paid."""
        known, country = self.creators[fields["creator"]], fields.get("country")
        country = country or known["country"]
        if (known["ready"], known["country"]) == (fields["payouts_enabled"], country):
            return NOTHING
        known |= {"ready": fields["payouts_enabled"], "country": country}
        return ACCEPTED

    def request_payout(self, fields: dict[str, Any]) -> Verdict:
        """Money shall leave; what is due counts."""
        policy, creator = self.policy(), fields["creator"]
        if policy is None:
            return rejected("NO_POLICY")
        known, instant = self.creators[creator], fields.get("instant", False)
        available = self.available(creator) + sum(one["has"] for one in self.due(creator))
        amount, run = fields.get("amount", available), ""
        country = known["country"] or policy.get("default_country")
        if "amount" not in fields:
            run = self._run(policy)
            if not run or amount <= 0 or run <= known["run"]:
                return NOTHING
        refusal = self._refusal(policy, creator, country, amount, available, instant=instant)
        if refusal is not None:
            return NOTHING if run else refusal
        fee = of(amount, policy.get("instant_fee_bps") or 0) if instant else 0
        withheld = min(of(amount, policy.get("withholding_bps", 0)), amount - fee)
        self.mature(creator)
        self.money((f"cr.{creator}.available", amount), (f"cr.{creator}.payout", -amount))
        known["payout"] = self.payouts[self.new_id] = {
            "state": "requested",
            "creator": creator,
            "by": self.actor,
            "gross": amount,
            "fee": fee,
            "withheld": withheld,
            "country": country,
        }
        known["run"] = run or known["run"]
        numbers = {"gross": amount, "fee": fee, "withheld": withheld}
        return Verdict("accepted", numbers={**numbers, "net": amount - fee - withheld})

    def _run(self, policy: dict[str, Any]) -> str:
        today = self.now.date()
        runs = {
            "DAILY": today,
            "WEEKLY": today - timedelta(days=today.weekday()),
            "MONTHLY": today.replace(day=1),
        }
        return str(runs.get(policy.get("payout_schedule") or "", ""))

    def _refusal(
        self,
        policy: dict[str, Any],
        creator: str,
        country: str | None,
        amount: int,
        available: int,
        *,
        instant: bool,
    ) -> Verdict | None:
        known, minimum = self.creators[creator], policy["payout_minimum"] or 0
        if self.is_frozen("creator", creator, "PAYOUT"):
            return rejected("ACCOUNT_FROZEN")
        if instant and policy.get("instant_fee_bps") is None:
            return rejected("PRODUCT_DISABLED")
        if available < 0:
            return rejected("NEGATIVE_BALANCE", owed=-available)
        if amount < minimum:
            return rejected("BELOW_MINIMUM", minimum=minimum, shortfall=minimum - amount)
        if not known["ready"] or (policy.get("withholding_bps") and country is None):
            return rejected("PAYOUT_ACCOUNT_NOT_READY")
        if known["payout"]:
            return rejected("PAYOUT_IN_PROGRESS")
        if amount > available:
            return rejected("INSUFFICIENT_AVAILABLE", available=available)
        return None

    def step(self, command: str, fields: dict[str, Any]) -> Verdict:
        """One step of a payout."""
        payout = self.payouts.get(fields["payout"])
        if payout is None:
            return rejected("UNKNOWN_PAYOUT")
        creator, (before, after) = payout["creator"], STEPS[command]
        stoppable = command in ("approve-payout", "submit-payout")
        if stoppable and self.is_frozen("creator", creator, "PAYOUT"):
            return rejected("ACCOUNT_FROZEN")
        if command == "approve-payout" and self.actor in (payout["by"], creator):
            return rejected("SELF_APPROVAL_FORBIDDEN")
        if payout["state"] not in before:
            return rejected("INVALID_TRANSITION")
        if after in ("rejected", "failed"):
            self.undo_payout(payout, after)
        elif after in ("paid", "returned"):
            self._settle(payout, after)
        payout["state"] = after
        return ACCEPTED

    def _settle(self, payout: dict[str, Any], after: str) -> None:
        creator, gross, fee = payout["creator"], payout["gross"], payout["fee"]
        paid = after == "paid"
        sign, bucket = (1, "payout") if paid else (-1, "available")
        if paid:
            self.creators[creator]["payout"] = None
        self.money(
            (f"cr.{creator}.{bucket}", sign * gross),
            ("bank", -sign * (gross - fee - payout["withheld"])),
            ("rev.fee", -sign * fee),
            (f"withheld.{payout['country'] or ''}", -sign * payout["withheld"]),
        )
