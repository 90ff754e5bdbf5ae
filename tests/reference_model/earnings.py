"""Earnings: every sale remembers what each creator has of it, and in which bucket it stands."""

from collections import Counter, defaultdict
from datetime import datetime
from typing import Any

from tests.reference_model.verdicts import ACCEPTED, NOTHING, Verdict, in_turn, rejected
from tests.reference_model.wallets import Wallets

Sale = dict[str, Any]
ACCOUNT = {"pending": "pending", "available": "available", "escrow": "reserved"}


class Earnings(Wallets):
    """Sales by id, their earnings, who bought, and who is entitled to what by that."""

    def __init__(self, book: str) -> None:
        super().__init__(book)
        self.sales: dict[str, Sale] = {}
        self.owned: dict[tuple[str, str], dict[str, datetime | None]] = defaultdict(dict)
        self.bought: set[str] = set()

    def sold(self, sale: Sale, fields: dict[str, Any]) -> Sale:
        """Remember a sale; its earnings are posted by `earn`. It entitles to its items."""
        sale = {
            "refunded": 0,
            "in_flight": [],
            "disputes": {},
            "uses": [],
            "items": [],
            "until": None,
            "at": min(self.happened(fields), self.now),
            **sale,
        }
        self.sales[sale["id"]] = sale
        for item in sale["items"]:
            self.entitle(sale, item)
        if sale["funding"] == "CARD":
            ref, paid = fields["processor_ref"], sale["paid"]
            if paid:
                self.bought.add(sale["buyer"])
            sale |= {"processor": fields["processor"], "ref": ref}
            self.payment(ref).update(
                state="applied", sale=sale["id"], processor=fields["processor"], amount=paid
            )
            self.money(
                (f"psp.{fields['processor']}", paid),
                ("exp.promo", sale["ours"]),
                (f"vat.{sale['country'] or ''}", -sale["tax"]),
                (sale.get("income", "rev.commission"), -sale["platform"]),
                *self.earn(sale),
            )
        return sale

    def entitle(self, sale: Sale, item: str) -> None:
        """The item is the buyer's, as far as this sale goes."""
        self.owned[sale["buyer"], item][sale["id"]] = sale["until"]

    def revoke(self, sale: Sale) -> None:
        """What this sale had given is gone; what others gave stays."""
        for item in sale["items"]:
            self.owned[sale["buyer"], item].pop(sale["id"], None)

    def earn(self, sale: Sale) -> list[tuple[str, int]]:
        """The legs of what its creators get."""
        for one in sale["earnings"]:
            bucket = "available" if sale["mature_at"] is None else "pending"
            one["bucket"] = "escrow" if sale["escrow"] else bucket
            one |= {"has": one["share"], "held": 0, "clawed": 0, "charged": Counter()}
        return [
            (f"cr.{one['creator']}.{ACCOUNT[one['bucket']]}", -one["share"])
            for one in sale["earnings"]
        ]

    def change(self, one: dict[str, Any], has: int, held: int) -> list[tuple[str, int]]:
        """The legs that bring an earning to these amounts, free and held back."""
        legs = [
            (f"cr.{one['creator']}.{ACCOUNT[one['bucket']]}", one["has"] - has),
            (f"cr.{one['creator']}.reserved", one["held"] - held),
        ]
        one |= {"has": has, "held": held}
        return legs

    def earnings(self, creator: str) -> list[tuple[Sale, dict[str, Any]]]:
        """All that a creator ever earned."""
        return [
            (sale, one)
            for sale in self.sales.values()
            for one in sale["earnings"]
            if one["creator"] == creator
        ]

    def due(self, creator: str) -> list[dict[str, Any]]:
        """What is mature by now and not posted as such."""
        return [
            one
            for sale, one in self.earnings(creator)
            if one["bucket"] == "pending" and sale["mature_at"] <= self.now
        ]

    def available(self, creator: str) -> int:
        """What is posted as available."""
        return -self.accounts[f"cr.{creator}.available", "USD"]

    def mature(self, creator: str) -> bool:
        """Post what is due."""
        due = self.due(creator)
        amount = sum(one["has"] for one in due)
        if amount:
            for one in due:
                one["bucket"] = "available"
            self.money((f"cr.{creator}.pending", amount), (f"cr.{creator}.available", -amount))
        return bool(amount)

    def mature_earnings(self, fields: dict[str, Any]) -> Verdict:
        """A scheduler's."""
        return ACCEPTED if self.mature(fields["creator"]) else NOTHING

    def release_escrow(self, fields: dict[str, Any]) -> Verdict:
        """What was earned while frozen."""
        creator = fields["creator"]
        if self.is_frozen("creator", creator, "EARN"):
            return rejected("CREATOR_FROZEN")
        kept = [pair for pair in self.earnings(creator) if pair[1]["bucket"] == "escrow"]
        amount = sum(one["has"] for _, one in kept)
        if not amount:
            return NOTHING
        numbers = {} if self.mature(creator) else {"amount": amount}
        for sale, one in kept:
            waits = sale["mature_at"] is not None and sale["mature_at"] > self.now
            one["bucket"] = "pending" if waits else "available"
            self.money(
                (f"cr.{creator}.reserved", one["has"]),
                (f"cr.{creator}.{one['bucket']}", -one["has"]),
            )
        return Verdict("accepted", numbers=numbers)

    def cancel_uncovered_payouts(self) -> None:
        """No payout leaves a debt behind while it can still be stopped."""
        for creator, known in self.creators.items():
            payout = known["payout"]
            stoppable = payout and payout["state"] in ("requested", "approved")
            if stoppable and self.available(creator) < 0:
                self.undo_payout(payout, "rejected")

    def undo_payout(self, payout: dict[str, Any], state: str) -> None:
        """It was never paid: all of it is available again."""
        creator, gross = payout["creator"], payout["gross"]
        payout["state"] = state
        self.creators[creator]["payout"] = None
        self.money((f"cr.{creator}.payout", gross), (f"cr.{creator}.available", -gross))

    def weighed(self, share: int, payees: dict[str, int]) -> list[dict[str, Any]]:
        """Several creators share by weight, one after the other in the order of their ids."""
        creators = sorted(payees)
        shares = in_turn(share, [payees[creator] for creator in creators])
        return [{"creator": c, "share": part} for c, part in zip(creators, shares, strict=True)]
