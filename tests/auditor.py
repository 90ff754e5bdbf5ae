"""An independent auditor: the money rules once more, over plain dictionaries and exact fractions.

It shares no code with the product. Told a command in words, it says what must come of it, and it
keeps its own accounts; whatever differs from the product is a finding in one of the two.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from typing import Any

LIMIT = 10**12
PRODUCTS = {
    "send-tip": "tip",
    "unlock": "unlock",
    "unlock-message": "message",
    "buy-ticket": "ticket",
}


@dataclass
class Verdict:
    """What must come of a command: `outcome` accepted, nothing, rejected or suspended."""

    outcome: str
    code: str | None = None
    numbers: dict[str, Any] = field(default_factory=dict)


def nearest(value: Fraction) -> int:
    """Half up."""
    return floor(value + Fraction(1, 2))


class Auditor:
    """One book without expiry and maturity, under one policy. Debits are positive."""

    def __init__(self, policy: dict[str, Any], book: str) -> None:
        self.policy = policy
        self.accounts: Counter[tuple[str, str]] = Counter()
        self._tokens = {"PAID": f"{book}.PAID", "PROMO": f"{book}.PROMO"}
        self._lots: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._owned: set[tuple[str, str]] = set()
        self._frozen: set[tuple[str, str, str]] = set()

    def hears(self, command: str, fields: dict[str, Any]) -> Verdict:
        """The verdict on a command; an accepted one has its effect on the accounts."""
        if command in PRODUCTS:
            return self._sale(command, fields)
        told = {
            "record-purchase": self._purchase,
            "grant-promo": self._grant,
            "freeze": self._freeze,
            "unfreeze": self._unfreeze,
        }
        return told[command](fields)

    def wallet(self, user: str) -> int:
        """Tokens of either class."""
        return sum(lot["tokens"] - lot["used"] for lot in self._lots[user])

    def _post(self, asset: str, *legs: tuple[str, int]) -> None:
        assert sum(amount for _, amount in legs) == 0, legs
        for account, amount in legs:
            self.accounts[account, asset] += amount

    def _lot(self, user: str, kind: str, tokens: int, price: int) -> None:
        lot = {"kind": kind, "tokens": tokens, "price": price, "used": 0, "released": 0}
        self._lots[user].append(lot)
        self._post(self._tokens[kind], ("supply", tokens), (f"w.{user}.free", -tokens))

    def _purchase(self, fields: dict[str, Any]) -> Verdict:
        package = self.policy["packages"].get(fields["package"])
        psp, price = f"psp.{fields['processor']}", fields["price"]
        if package is None or package["price"] != price:
            self._post("USD", (psp, price), ("suspense", -price))
            code = "UNKNOWN_PACKAGE" if package is None else "PRICE_MISMATCH"
            return Verdict("suspended", code)
        self._lot(fields["user"], "PAID", package["tokens"], price)
        if package.get("bonus"):
            self._lot(fields["user"], "PROMO", package["bonus"], 0)
        self._post("USD", (psp, price), ("deferred", -price))
        return Verdict("accepted", numbers={"tokens": package["tokens"], "tax": 0})

    def _grant(self, fields: dict[str, Any]) -> Verdict:
        self._lot(fields["user"], "PROMO", fields["tokens"], 0)
        return Verdict("accepted", numbers={"tokens": fields["tokens"]})

    def _freeze(self, fields: dict[str, Any]) -> Verdict:
        return self._flag(fields, frozen=True)

    def _unfreeze(self, fields: dict[str, Any]) -> Verdict:
        return self._flag(fields, frozen=False)

    def _flag(self, fields: dict[str, Any], *, frozen: bool) -> Verdict:
        flag = fields["kind"], fields["subject"], fields["scope"]
        if (flag in self._frozen) == frozen:
            return Verdict("nothing")
        (self._frozen.add if frozen else self._frozen.remove)(flag)
        return Verdict("accepted")

    def _sale(self, command: str, fields: dict[str, Any]) -> Verdict:
        product = PRODUCTS[command]
        price, discount = fields.get("amount", fields.get("price", 0)), fields.get("discount", 0)
        code = self._against(product, price, fields)
        short: dict[str, Any] = {}
        if code is None and fields["funding"] == "TOKEN":
            held, needed = self.wallet(fields["user"]), price - discount
            if held < needed:
                code = "INSUFFICIENT_TOKENS"
                short = {"required": needed, "current": held, "shortfall": needed - held}
        if code is not None and fields["funding"] == "TOKEN":
            return Verdict("rejected", code, short)
        if code is not None:
            psp, paid = f"psp.{fields['processor']}", price - discount
            self._post("USD", (psp, paid), ("suspense", -paid))
            return Verdict("suspended", code)
        if "item" in fields:
            self._owned.add((fields["user"], fields["item"]))
        sell = self._by_card if fields["funding"] == "CARD" else self._for_tokens
        return Verdict("accepted", numbers=sell(product, price, discount, fields))

    def _against(self, product: str, price: int, fields: dict[str, Any]) -> str | None:
        user, creator, policy = fields["user"], fields["creator"], self.policy
        if ("wallet", user, "SPEND") in self._frozen:
            return "ACCOUNT_FROZEN"
        if ("creator", creator, "EARN") in self._frozen:
            return "CREATOR_FROZEN"
        if product not in policy["products_enabled"]:
            return "PRODUCT_DISABLED"
        if user == creator:
            return "SELF_DEALING"
        worth = price * policy["unit_value"] if fields["funding"] == "TOKEN" else price
        if worth > LIMIT:
            return "INVALID_AMOUNT"
        bounds = policy["price_bounds"].get(product, {"min": 0, "max": LIMIT})
        low = max(bounds["min"], policy["tip_minimum"] if product == "tip" else 0)
        if worth and not low <= worth <= bounds["max"]:
            return "PRICE_OUT_OF_RANGE"
        if (user, fields.get("item")) in self._owned:
            return "ALREADY_ENTITLED"
        return None

    def _share(self, product: str, value: int) -> int:
        shares = self.policy["revenue_share"]
        bps = shares.get(product, shares["default"])
        return nearest(Fraction(value * bps, 10_000))

    def _by_card(
        self, product: str, price: int, discount: int, fields: dict[str, Any]
    ) -> dict[str, Any]:
        paid = price - discount
        share = self._share(product, paid)
        self._post(
            "USD",
            (f"psp.{fields['processor']}", paid),
            (f"cr.{fields['creator']}.available", -share),
            ("rev.commission", share - paid),
        )
        return {"creator_share": share, "platform_share": paid - share, "released": 0}

    def _for_tokens(
        self, product: str, price: int, discount: int, fields: dict[str, Any]
    ) -> dict[str, Any]:
        left, released, spent = price - discount, 0, Counter[str]()
        lots = sorted(self._lots[fields["user"]], key=lambda lot: lot["kind"] != "PROMO")
        for lot in lots:
            taken = min(left, lot["tokens"] - lot["used"])
            lot["used"] += taken
            due = floor(Fraction(lot["price"] * lot["used"], lot["tokens"]))
            released += due - lot["released"]
            lot["released"] = due
            spent[lot["kind"]] += taken
            left -= taken
        tokens = price - discount
        share = self._share(product, tokens * self.policy["unit_value"])
        paid_part = nearest(Fraction(share * spent["PAID"], tokens)) if tokens else 0
        free = f"w.{fields['user']}.free"
        for kind, count in spent.items():
            self._post(self._tokens[kind], (free, count), ("supply", -count))
        self._post(
            "USD",
            ("deferred", released),
            ("exp.promo", share - paid_part),
            (f"cr.{fields['creator']}.available", -share),
            ("rev.margin", paid_part - released),
        )
        return {
            "creator_share": share,
            "platform_share": released - paid_part,
            "released": released,
            "tokens_paid": spent["PAID"],
            "tokens_promo": spent["PROMO"],
        }
