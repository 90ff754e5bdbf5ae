"""What buyers owe for purchases, and what of it people had paid or wrote off."""

from typing import Any

from tests.reference_model.reports import Reports

Purchase = dict[str, Any]
Legs = list[tuple[str, int]]


class Debts(Reports):
    """An expense for what was written off stands only for as long as the buyer owes it."""

    def owes(self, purchase: Purchase, change: int, told: list[dict[str, Any]]) -> Legs:
        """The buyer owes so much more for a purchase; what had been written off comes back."""
        given = purchase.setdefault("settled", {"paid": 0, "most": 0, "expense": 0})
        purchase["debt"] = purchase.get("debt", 0) + change
        before = given["expense"]
        if change:
            owed = max(0, purchase["debt"] - given["paid"])
            given["expense"] = min(given["most"], owed)
        back = before - given["expense"]
        assert sum(body.get("recovered", 0) for body in told) == back, (purchase, told)
        self.debts[purchase["user"]] += change + back
        return [(f"fan_debt.{purchase['user']}", change + back), ("exp.baddebt", -back)]

    def settle(self, user: str, credit: int, expense: int) -> int:
        """People credit the buyer with so much, at most so much of it as bad debt; how much was."""
        off = min(credit, expense) if credit > 0 < expense else 0
        off = max(credit, expense) if credit < 0 > expense else off
        left = {"paid": credit - off, "most": off}
        mine = [
            one
            for _, one in sorted(self.purchases.items())
            if one["user"] == user and "settled" in one
        ]
        for one in mine:
            given = one["settled"]
            for what in ("paid", "most"):
                open_ = one["debt"] - given["paid"] - given["expense"]
                part = min(left[what], open_) if left[what] > 0 < open_ else 0
                left[what] -= part
                given[what] += part
                given["expense"] += part if what == "most" else 0
        for one in reversed(mine):
            given = one["settled"]
            if left["paid"] < 0:
                part = min(-left["paid"], given["paid"])
                left["paid"] += part
                given["paid"] -= part
            if left["most"] < 0 < given["expense"]:
                part = min(-left["most"], given["expense"])
                left["most"] += part
                given["expense"] -= part
                given["most"] = given["expense"]
        self.debts[user] -= credit
        return off
