"""The auditor's books: accounts, policies, freezes and payments; debits are positive."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from tests.reference_model.verdicts import OURS, Verdict, nearest, of, rejected

LIMIT = 10**12
EVER = datetime.max.replace(tzinfo=UTC)


def instant(text: str) -> datetime:
    """A time as commands write it."""
    return datetime.fromisoformat(text)


class Books:
    """One book. `now`, `actor` and `new_id` are those of the command that is heard."""

    def __init__(self, book: str) -> None:
        self.accounts: Counter[tuple[str, str]] = Counter()
        self.tokens = {"PAID": f"{book}.PAID", "PROMO": f"{book}.PROMO"}
        self.proposed: dict[int, dict[str, Any]] = {}
        self.published: list[dict[str, Any]] = []
        self.frozen: set[tuple[str, str, str]] = set()
        #: Why a wallet's spending is frozen: by a person, or for a purchase.
        self.frozen_for: dict[str, set[tuple[str, str]]] = defaultdict(set)
        self.payments: dict[str, dict[str, Any]] = {}
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.creators: dict[str, dict[str, Any]] = defaultdict(
            lambda: {"verified": False, "ready": False, "country": None, "payout": None, "run": ""}
        )
        self.now = EVER
        self.actor = ""
        self.new_id = ""

    def post(self, asset: str, *legs: tuple[str, int]) -> None:
        """One double entry."""
        assert sum(amount for _, amount in legs) == 0, legs
        for account, amount in legs:
            self.accounts[account, asset] += amount

    def money(self, *legs: tuple[str, int]) -> None:
        """One double entry in the book's currency."""
        self.post(OURS, *legs)

    def other_currency(self, fields: dict[str, Any], own: str | None = None) -> str | None:
        """The currency of a notice's figures, where that is not that of what it is about."""
        named: str | None = fields.get("currency")
        return None if named in (None, own or OURS) else named

    def policy(self, at: datetime | None = None) -> dict[str, Any] | None:
        """The policy in force: of those begun, the one published last."""
        at = at or self.now
        begun = [one["body"] for one in self.published if one["from"] <= at]
        return begun[-1] if begun else None

    def happened(self, fields: dict[str, Any]) -> datetime:
        """When the fact that is told happened."""
        return instant(fields["occurred_at"]) if "occurred_at" in fields else self.now

    def vat(self, policy: dict[str, Any], fields: dict[str, Any]) -> tuple[str | None, int]:
        """The country of taxation and its rate."""
        country = fields.get("country") or policy.get("default_country")
        elsewhere = policy.get("vat_elsewhere")
        rate = policy.get("vat", {}).get(country, elsewhere or 0)
        return country or ("XX" if elsewhere is not None else None), rate

    def untaxed(self, policy: dict[str, Any], fields: dict[str, Any]) -> str | None:
        """Why nobody can say what the tax is: other countries have rates and this one has none."""
        if not policy.get("vat") or policy.get("vat_elsewhere") is not None:
            return None
        country = fields.get("country") or policy.get("default_country")
        return None if country in policy["vat"] else "UNKNOWN_TAX_COUNTRY"

    def is_frozen(self, kind: str, subject: str, scope: str) -> bool:
        """Whether somebody may not do something."""
        return (kind, subject, scope) in self.frozen

    def parties(
        self, policy: dict[str, Any], user: str, creator: str, product: str, funding: str
    ) -> str | None:
        """Why these two do not deal in this."""
        if self.is_frozen("wallet", user, "SPEND"):
            return "ACCOUNT_FROZEN"
        lenient = policy.get("frozen_creator_rule") == "ESCROW"
        if self.is_frozen("creator", creator, "EARN") and not lenient:
            return "CREATOR_FROZEN"
        if product not in policy["products_enabled"] or funding not in policy["funding"]:
            return "PRODUCT_DISABLED"
        return "SELF_DEALING" if user == creator else None

    def price(
        self, policy: dict[str, Any], product: str, worth: int, kind: str | None = None
    ) -> str | None:
        """Why this is no price for it, or for one of its kind."""
        if worth > LIMIT:
            return "INVALID_AMOUNT"
        known = policy.get("price_bounds", {})
        bounds = known.get(product, {"min": 0, "max": LIMIT})
        bounds = known.get(f"{product}:{kind}", bounds)
        low = max(bounds["min"], policy.get("tip_minimum", 0) if product == "tip" else 0)
        return "PRICE_OUT_OF_RANGE" if worth and not low <= worth <= bounds["max"] else None

    def share(self, policy: dict[str, Any], product: str) -> int:
        """The creator's part in bps."""
        shares = policy["revenue_share"]
        bps: int = shares.get(product, shares["default"])
        return bps

    def matures(self, sold: datetime, days: int, *, late: bool = False) -> datetime | None:
        """When earnings mature: on a full hour; None where they are available at once."""
        if not days:
            return None
        exact = sold + timedelta(days=days)
        past = exact - exact.replace(minute=0, second=0, microsecond=0)
        at = exact + (timedelta(hours=1) - past if past else timedelta())
        return None if late and at <= self.now else at

    def payment(self, ref: str) -> dict[str, Any]:
        """What is known under a reference."""
        return self.payments.setdefault(ref, {"state": None, "waiting": []})

    def is_taken(self, fields: dict[str, Any]) -> bool:
        """Whether the reference is another payment's."""
        known = self.payments.get(fields["processor_ref"], {"state": None})
        if known["state"] == "suspended":
            other: bool = known["waiting"][0]["processor"] != fields["processor"]
            return other
        return known["state"] not in (None, "released")

    def suspend(self, command: str, fields: dict[str, Any], verdict: Verdict) -> None:
        """Money waits, with what was said about it; the first under a reference gives it a name."""
        processor, amount = fields["processor"], verdict.amount
        money = verdict.currency
        self.post(money or OURS, (f"psp.{processor}", amount), ("suspense", -amount))
        known = self.payment(fields["processor_ref"])
        waiting = {"processor": processor, "amount": amount, "notice": (command, fields)}
        known["waiting"].append({**waiting, "currency": money})
        if known["state"] in (None, "released"):
            known |= {"state": "suspended", "processor": processor, "amount": amount}

    def freeze(self, fields: dict[str, Any]) -> Verdict:
        """Somebody may not do something from now on."""
        return self._flag(fields, frozen=True)

    def unfreeze(self, fields: dict[str, Any]) -> Verdict:
        """Somebody may again."""
        return self._flag(fields, frozen=False)

    def _flag(self, fields: dict[str, Any], *, frozen: bool) -> Verdict:
        flag = fields["kind"], fields["subject"], fields["scope"]
        why = self.frozen_for[fields["subject"]]
        by_person = ("person", "")
        spending = flag[0] == "wallet" and flag[2] == "SPEND"
        if (flag in self.frozen) == frozen and not (frozen and spending and by_person not in why):
            return Verdict("nothing")
        if spending:
            why.clear() if not frozen else why.add(by_person)
        (self.frozen.add if frozen else self.frozen.remove)(flag)
        return Verdict("accepted")

    def propose_policy(self, fields: dict[str, Any]) -> Verdict:
        """A document waits for another person, unless a package of it would lose money."""
        body = fields["body"]
        if body["currency"] != "USD":
            return rejected("CURRENCY_MISMATCH")
        shares = body["revenue_share"]
        highest = max(
            [*shares.get("tiers", {}).values(), *(v for k, v in shares.items() if k != "tiers")]
        )
        _, rate = self.vat(body, {})
        for package in body["packages"].values():
            tokens, price = package["tokens"] + package.get("bonus", 0), package["price"]
            net = price - nearest(Fraction(price * rate, 10_000 + rate))
            if net < of(tokens * body["unit_value"], highest):
                return rejected("NEGATIVE_MARGIN", net=net)
        version = len(self.proposed) + 1
        self.proposed[version] = {
            "body": fields["body"],
            "from": instant(fields["effective_from"]),
            "by": self.actor,
            "waits": True,
        }
        return Verdict("accepted", numbers={"version": version})

    def approve_policy(self, fields: dict[str, Any]) -> Verdict:
        """Another person agrees."""
        proposal = self.proposed.get(fields["version"])
        if proposal is None:
            return rejected("UNKNOWN_POLICY")
        if not proposal["waits"]:
            return rejected("INVALID_TRANSITION")
        if proposal["by"] == self.actor:
            return rejected("SELF_APPROVAL_FORBIDDEN")
        proposal["waits"] = False
        self.published.append(proposal)
        return Verdict("accepted")
