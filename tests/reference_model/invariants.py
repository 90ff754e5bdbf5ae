"""The witness: sees stored events one after the other, and holds each against what must always be.

It knows no command and no policy: only types, bodies and postings, as anybody could read them in
the log. Lots are followed by their names, sales by what became of them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

Posting = tuple[str, str, int]

LOSSES = ("dispute.lost", "dispute.won", "purchase.taken_back", "purchase_loss.restated")
TAKES_FROM_CREATORS = (
    *("refund.recorded", "sale_payment.failed", "dispute.opened", "adjustment.approved"),
    *LOSSES,
)
SPENDING = ("tokens.lapsed", "promo_tokens.expired")


class Witness:
    """What was seen so far of one book."""

    def __init__(self) -> None:
        self.accounts: Counter[tuple[str, str]] = Counter()
        self.lots: dict[str, dict[str, int]] = {}
        self.sales: dict[str, dict[str, Any]] = {}
        self.documents: Counter[str] = Counter()
        self.taxed: Counter[str] = Counter()
        self.labels: dict[str, dict[str, str]] = {}

    def sees(self, kind: str, body: dict[str, Any], postings: Iterable[Posting]) -> None:
        """The next event of the log."""
        name, _, _ = kind.rpartition(".")
        before = dict(self.accounts)
        self._post(postings)
        self._follow(name, body)
        self._balances(name, before)
        for names, follow in (
            (("creator_share",), self._sale),
            (("sale_id", "cumulative"), self._refund),
            (("number", "vat"), self._document),
        ):
            if all(field in body for field in names):
                follow(name, body)
        if name in (*LOSSES, "sale_payment.failed"):
            self._closed(body)

    def finds_labels(
        self,
        kind: str,
        body: dict[str, Any],
        labels: dict[str, str] | None,
        own: dict[str, str] | None,
    ) -> None:
        """What undoes or documents something sold, or uses a hold, has its labels, and its own
        under other keys.

        `own` are those that its command brought; None where that is not known.
        """
        subject = body.get("sale_id") or body.get("purchase_id") or body.get("hold_id")
        if kind.startswith("payment.suspended") or subject is None:
            return
        found = labels or {}
        inherited = self.labels.setdefault(subject, found)
        assert found == {**(found if own is None else own), **inherited}, (kind, body, labels)

    def _post(self, postings: Iterable[Posting]) -> None:
        sums: Counter[str] = Counter()
        for account, asset, amount in postings:
            sums[asset] += amount
            self.accounts[account, asset] += amount
        assert not any(sums.values()), sums

    def _balances(self, name: str, before: dict[tuple[str, str], int]) -> None:
        """Debits are positive: nobody's tokens, and nothing that is owed, may be."""
        mirrored: Counter[str] = Counter()
        for (account, asset), amount in self.accounts.items():
            if account.startswith("w."):
                mirrored[asset] += amount
                assert amount <= 0, (account, asset, amount)
            elif account == "supply":
                mirrored[asset] += amount
            elif account.endswith(".available"):
                worse = amount > max(0, before.get((account, asset), 0))
                assert not worse or name in TAKES_FROM_CREATORS, (name, account, amount)
            elif account == "deferred" or account.startswith(("cr.", "vat.", "withheld.")):
                assert amount <= 0, (name, account, amount)
            elif account == "disputed":
                assert amount >= 0, (name, account, amount)
        assert not any(mirrored.values()), mirrored
        unreleased = sum(lot["price"] - lot["released"] for lot in self.lots.values())
        owed = -sum(amount for (account, _), amount in self.accounts.items() if account == DEFERRED)
        assert owed == unreleased, (name, owed, unreleased)

    def _follow(self, name: str, body: dict[str, Any]) -> None:
        """Which lots are made by it, and which are used."""
        if name == "tokens.purchased":
            promo = body["bonus"] if body["bonus_class"] == "PROMO" else 0
            tokens = body["tokens"] + body["bonus"] - promo
            self._made(body["purchase_id"], tokens, body["price"] - body["tax"])
            self._made(f"{body['purchase_id']}b", promo, 0)
        elif name == "promo_tokens.granted":
            self._came(body["lot_id"], body["tokens"], 0)
        elif name in SPENDING:
            self._used(body["lot_id"], body["tokens"], body.get("released", 0))
        elif name == "refund.recorded":
            self._back(body.get("lots", []))
        elif name in LOSSES:
            for use in body.get("restored", []):
                self._used(use["lot"], -use["tokens"], -use["released"])
            self._uses(body.get("lots", []))
            for lot in body.get("repriced", []):
                self._repriced(lot["lot"], lot["price"])
            assert all(lot["used"] >= 0 for lot in self.lots.values()), body
        elif name == "adjustment.approved":
            for uses in body.get("taken", {}).values():
                self._uses(uses)
            for lots in body.get("made", {}).values():
                for lot, _, _, tokens, price, *_ in lots:
                    self._made(lot, tokens, price)
        elif name not in ("credits.held", "hold.released", "dispute.opened"):
            self._uses([*body.get("lots", []), *body.get("cancelled", [])])

    def _repriced(self, name: str, price: int) -> None:
        """What is left of a lot is a lot of its own from now on."""
        lot = self.lots[name]
        left = lot["tokens"] - lot["used"]
        assert left > 0 <= price, (name, lot)
        self.lots[name] = {"tokens": left, "price": price, "used": 0, "released": 0}

    def _made(self, lot: str, tokens: int, price: int) -> None:
        if tokens:
            assert lot not in self.lots, lot
            self.lots[lot] = {"tokens": tokens, "price": price, "used": 0, "released": 0}

    def _came(self, name: str, tokens: int, price: int) -> None:
        """Granted and returned tokens are a lot, or join one of which something is left."""
        before = self.lots.pop(name, None)
        if before is not None:
            left = before["tokens"] - before["used"]
            assert left > 0, (name, before)
            tokens, price = left + tokens, before["price"] - before["released"] + price
        self._made(name, tokens, price)

    def _back(self, lots: list[dict[str, Any]]) -> None:
        for lot in lots:
            if not lot.get("lapsed"):
                self._came(lot["lot"], lot["tokens"], lot["price"])

    def _uses(self, uses: list[dict[str, Any]]) -> None:
        for use in uses:
            self._used(use["lot"], use["tokens"], use["released"])

    def _used(self, name: str, tokens: int, released: int) -> None:
        """A lot never releases more than its price, and all of it with its last token."""
        lot = self.lots[name]
        lot["used"] += tokens
        lot["released"] += released
        assert lot["used"] <= lot["tokens"], (name, lot)
        assert lot["used"] >= 0 or tokens < 0, (name, lot)
        assert lot["released"] == lot["price"] * lot["used"] // lot["tokens"], (name, lot)

    def _sale(self, name: str, body: dict[str, Any]) -> None:
        if "sale_id" not in body:
            return
        parts = body["tax"] + body["creator_share"] + body["platform_share"]
        payees = body.get("payees", ())
        promo = sum(payee.get("promo_part", 0) for payee in payees)
        paid, ours = body["gross"] - body["discount"], body.get("platform_discount", 0)
        assert 0 <= ours < max(1, paid), body
        assert parts == (paid if body["funding"] == "CARD" else body["released"] + promo), body
        assert body["creator_share"] == sum(payee["share"] for payee in body.get("payees", ())), (
            body
        )
        tokens = body["tokens_paid"] + body["tokens_promo"]
        self.sales[body["sale_id"]] = {
            "paid": paid - ours if body["funding"] == "CARD" else tokens,
            "refunded": 0,
            "shares": {payee["creator"]: payee["share"] for payee in payees},
            "taken": defaultdict(int),
        }

    def _refund(self, name: str, body: dict[str, Any]) -> None:
        sale = self.sales[body["sale_id"]]
        sale["refunded"] += body["amount"] if name == "refund.recorded" else -body["amount"]
        assert sale["refunded"] == body["cumulative"] <= sale["paid"], (sale, body)
        self._taken(body["sale_id"], body)

    def _closed(self, body: dict[str, Any]) -> None:
        """`amount` is borne by somebody, whole; a win gives all of it back."""
        self._taken(body.get("sale_id"), body)

    def _taken(self, sale_id: str | None, body: dict[str, Any]) -> None:
        """Of no creator is ever taken more than the share of that sale."""
        for claw in body.get("shares", []):
            sale = self.sales[claw.get("sale_id") or sale_id or ""]
            sale["taken"][claw["creator"]] += claw.get("share", 0)
            taken, share = sale["taken"][claw["creator"]], sale["shares"][claw["creator"]]
            assert 0 <= taken <= share, (sale, body)

    def _document(self, name: str, body: dict[str, Any]) -> None:
        """Numbers of a country have no gaps, and documents say what stands on its account."""
        country = body["country"]
        self.documents[country] += 1
        assert body["number"] == f"{country}-{self.documents[country]:06d}", body
        assert body["vat"] > 0, body
        self.taxed[country] += -body["vat"] if name == "credit_note.issued" else body["vat"]

    def finds_all_tax_documented(self) -> None:
        """After each command; within one, the document follows the fact."""
        for (account, _), amount in self.accounts.items():
            if account.startswith("vat."):
                country = account.removeprefix("vat.")
                assert -amount == self.taxed[country], (country, amount, self.taxed[country])


DEFERRED = "deferred"
