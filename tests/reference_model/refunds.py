"""Refunds: what is undone of a sale is a matter of sums, so the order of notices is none."""

from fractions import Fraction
from math import floor
from typing import Any

from tests.reference_model.earnings import Sale
from tests.reference_model.holds import Holds
from tests.reference_model.verdicts import (
    Verdict,
    in_turn,
    nearest,
    rejected,
)


class Refunds(Holds):
    """Refunds by id: requested, recorded or failed."""

    def __init__(self, book: str) -> None:
        super().__init__(book)
        self.refunds: dict[str, str] = {}

    def referred(self, reference: str) -> Sale | str | None:
        """The sale of an id or payment; "other" if it is of something else; None if unknown."""
        payment = self.payments.get(reference, {})
        if reference in self.sales:
            return self.sales[reference]
        if "sale" in payment:
            return self.sales[payment["sale"]]
        return "other" if "purchase" in payment else None

    def bounced(self, sale: Sale) -> int:
        """What a failed payment took: all that nothing else has."""
        rest: int = sale["paid"] - sale["refunded"] - self.lost(sale)
        return max(0, rest) if sale.get("failed") else 0

    def refund(self, fields: dict[str, Any]) -> Verdict:
        """Somebody asks for a refund."""
        sale, amount = self.sales.get(fields["sale"]), fields["amount"]
        if sale is None:
            return rejected("UNKNOWN_SALE")
        if self.is_unlisted(fields):
            return rejected("REFUND_REASON_UNKNOWN")
        if sale["refund_until"] is not None and sale["refund_until"] <= self.now:
            return rejected("REFUND_WINDOW_CLOSED")
        purchases = (self.purchases.get(use["lot"]["purchase"]) for use in sale["uses"])
        disputed = [one["disputes"] for one in purchases if one] + [sale["disputes"]]
        if any(one["state"] == "OPEN" for disputes in disputed for one in disputes.values()):
            return rejected("DISPUTE_OPEN")
        if sale["funding"] == "TOKEN":
            return self._tokens_back(sale, amount)
        in_flight = sum(waiting for _, waiting in sale["in_flight"])
        gone = sale["refunded"] + self.bounced(sale) + self.lost(sale)
        remaining = max(0, sale["paid"] - gone - in_flight)
        if amount > remaining:
            return rejected("REFUND_EXCEEDS_REMAINING", remaining=remaining)
        sale["in_flight"].append((self.new_id, amount))
        self.refunds[self.new_id] = "requested"
        return Verdict("accepted", numbers={"amount": amount})

    def is_unlisted(self, fields: dict[str, Any]) -> bool:
        """Whether the policy has a list of reasons on which this one is not."""
        listed = (self.policy() or {}).get("refund_reasons")
        return listed is not None and fields["reason_code"] not in listed

    def _tokens_back(self, sale: Sale, amount: int) -> Verdict:
        """The last tokens of the sale come back first, each at what it had released."""
        left = [use["tokens"] - use["back"] for use in sale["uses"]]
        if amount > sum(left):
            return rejected("REFUND_EXCEEDS_REMAINING", remaining=sum(left))
        buyer, wanted, released, promo = sale["buyer"], amount, 0, 0
        for nth in reversed(range(len(left))):
            use, part = sale["uses"][nth], min(wanted, left[nth])
            if part:
                wanted -= part
                released += self._lot_back(buyer, use, part, nth)
                promo += part if use["lot"]["kind"] == "PROMO" else 0
        before, sale["refunded"] = sale["refunded"], sale["refunded"] + amount
        promo_before = sale.get("promo_back", 0)
        sale["promo_back"] = promo_before + promo
        promo_part = self._part(sale["promo_part"], sale["promo_back"], sale["promo_tokens"])
        promo_part -= self._part(sale["promo_part"], promo_before, sale["promo_tokens"])
        (one,) = sale["earnings"]
        claw = self._part(sale["share"], sale["refunded"], sale["paid"])
        claw -= self._part(sale["share"], before, sale["paid"])
        one["clawed"] += claw
        claw -= self._uncharged(sale, one)
        self.money(
            *self.change(one, one["has"] - claw, 0),
            ("rev.margin", released + promo_part - claw),
            ("deferred", -released),
            ("exp.promo", -promo_part),
        )
        if sale["refunded"] == sale["paid"]:
            self.revoke(sale)
        self.refunds[self.new_id] = "tokens"
        self.restate()
        return Verdict("accepted", numbers={"released": released, "amount": amount})

    def _uncharged(self, sale: Sale, one: dict[str, Any]) -> int:
        """What losses have taken of the sale that is the refund's to take now."""
        told = [body for name, body in self.told if name == "refund.recorded.v1"]
        found = 0
        for body in told:
            for purchase, (share,) in body.get("uncharged", []):
                one["charged"][purchase] -= share
                assert one["charged"][purchase] >= 0, body
                found += share
        return found

    def _part(self, total: int, back: int, whole: int) -> int:
        return nearest(Fraction(total * back, whole)) if whole else 0

    def _lot_back(self, buyer: str, use: dict[str, Any], tokens: int, nth: int) -> int:
        before = floor(Fraction(use["released"] * use["back"], use["tokens"]))
        use["back"] += tokens
        price = floor(Fraction(use["released"] * use["back"], use["tokens"])) - before
        lot = use["lot"]
        if lot["kind"] == "PAID" or self.lives(lot):
            self.returned(buyer, lot, tokens, price, (self.new_id, nth))
        else:
            self.unused(lot, tokens)
        return price

    def returned(
        self, user: str, lot: dict[str, Any], tokens: int, price: int, at: tuple[str, int]
    ) -> None:
        """Tokens of a lot come back as a lot of their own, at its place."""
        place, purchase, kind = (lot["place"][0], *at), lot["purchase"], lot["kind"]
        self.lot(user, purchase, kind, tokens, price, ends=lot["ends"], place=place)
        self.supply(user, kind, tokens)

    def confirm(self, sale: Sale, amount: int) -> list[tuple[str, int]]:
        """The request of that amount is done, else the oldest ones are; which, and of how much."""
        waiting, done = sale["in_flight"], []
        exact = [one for one in waiting if one[1] == amount][:1]
        kept = []
        for refund, asked in waiting:
            part = min(asked, amount) if not exact or (refund, asked) in exact else 0
            amount -= part
            if part:
                done.append((refund, part))
            if asked > part:
                kept.append((refund, asked - part))
            else:
                self.refunds[refund] = "recorded"
        sale["in_flight"] = kept
        return done

    def disputed(self, sale: Sale, state: str, bearer: str | None = None) -> int:
        """The amount of its disputes in a state."""
        return sum(
            one["amount"]
            for one in sale["disputes"].values()
            if one["state"] == state and bearer in (None, one["bearer"])
        )

    def lost(self, sale: Sale) -> int:
        """What banks have taken back."""
        return self.disputed(sale, "LOST")

    def over(self, sale: Sale) -> bool:
        """Whether the buyer has everything back."""
        paid: int = sale["paid"]
        back: int = sale["refunded"] + self.bounced(sale) + self.lost(sale)
        return back >= paid > 0

    def divided(self, sale: Sale, amount: int) -> tuple[int, list[int], int]:
        """Tax, creators and platform of the first so many cents of the price of a sale by card."""
        full, shares = sale["paid"] + sale["ours"], [one["share"] for one in sale["earnings"]]
        net = nearest(Fraction(amount * (full - sale["tax"]), full)) if full else 0
        both = sale["share"] + sale["platform"]
        creators = nearest(Fraction(net * sale["share"], both)) if both else 0
        return amount - net, in_turn(creators, shares), net - creators

    def undone(self, sale: Sale, back: int) -> int:
        """How much of the price is undone with so many cents of the card's."""
        paid = sale["paid"]
        return floor(Fraction(back * (paid + sale["ours"]), paid)) if paid else 0

    def standing(self, sale: Sale) -> dict[str, Any]:
        """All that is taken back by now, whatever happened in whatever order."""
        paid, lost = sale["paid"], self.lost(sale)
        back = sale["refunded"] + self.bounced(sale)
        borne = back + self.disputed(sale, "LOST", "CREATOR_PROPORTIONAL")
        claimed = borne + self.disputed(sale, "OPEN", "CREATOR_PROPORTIONAL")
        undone = self.undone(sale, min(paid, back + lost))
        ours = undone - min(paid, back + lost)
        tax, _, platform = self.divided(sale, undone)
        clawed = self.divided(sale, self.undone(sale, min(paid, borne)))[1]
        return {
            "tax": tax,
            "platform": platform,
            "ours": ours,
            "clawed": clawed,
            "claimed": self.divided(sale, self.undone(sale, min(paid, claimed)))[1],
            "excess": back + lost + ours - tax - platform - sum(clawed),
        }

    def moved(self, sale: Sale, before: dict[str, Any]) -> list[tuple[str, int]]:
        """The legs by which the sale gets from one standing to the present one."""
        after, legs = self.standing(sale), []
        for one, clawed, claimed in zip(
            sale["earnings"], after["clawed"], after["claimed"], strict=True
        ):
            legs += self.change(one, one["share"] - claimed, claimed - clawed)
            one["clawed"] = clawed
        return [
            *legs,
            (sale.get("income", "rev.commission"), after["platform"] - before["platform"]),
            (f"vat.{sale['country'] or ''}", after["tax"] - before["tax"]),
            ("exp.baddebt", after["excess"] - before["excess"]),
            ("exp.promo", before["ours"] - after["ours"]),
        ]
