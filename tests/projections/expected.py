"""What the read models should say, summed from a log in the plainest way, sharing no code.

Where a read model follows what an event says in its body, this goes by what it posts, and the
other way round: either is wrong alone.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from fractions import Fraction
from math import floor
from typing import Any

Rows = list[tuple[int, bytes]]
Legs = Iterator[tuple[str, str, str, int]]

GIVEN = {"promo_tokens.granted.v1", "adjustment.approved.v1"}
ENDED = {"promo_tokens.expired.v1", "tokens.lapsed.v1"}
LOSES_A_PURCHASE = {
    "purchase.taken_back.v1", "purchase_payment.failed.v1", "purchase_loss.restated.v1",
}  # fmt: skip
UNDOES_A_PURCHASE = {
    "token_purchase.refunded.v1", "dispute.opened.v1", "dispute.lost.v1", "dispute.won.v1",
    *LOSES_A_PURCHASE,
}  # fmt: skip
#: What takes back of sales what they brought, or gives it back.
TAKES_BACK = {
    "refund.recorded.v1", "refund.reversed.v1", "sale_payment.failed.v1", "dispute.lost.v1",
    "dispute.won.v1", *LOSES_A_PURCHASE,
}  # fmt: skip

#: What finance calls the accounts of income and expense, and the sign of a debit in it.
INCOME_STATEMENT = {
    "rev.commission": ("commission", -1),
    "rev.margin": ("margin", -1),
    "rev.usage": ("usage", -1),
    "rev.fee": ("fees", -1),
    "rev.breakage": ("breakage", -1),
    "rev.subscription": ("subscriptions", -1),
    "exp.promo": ("promotional", 1),
    "exp.baddebt": ("bad_debt", 1),
    "exp.goodwill": ("goodwill", 1),
    "exp.processor": ("processor_costs", 1),
    "exp.dispute": ("dispute_costs", 1),
}


def turnover(rows: Rows, account: str) -> Counter[str]:
    """What each day debited to an account less what it credited."""
    found: Counter[str] = Counter()
    for entry in entries(rows):
        for name, _, amount in entry["postings"]:
            if name == account:
                found[entry["effective_on"]] += amount
    return found


def entries(rows: Rows) -> list[dict[str, Any]]:
    """The log as plain dictionaries."""
    return [{**json.loads(data), "position": position} for position, data in rows]


def signed(found: dict[str, Any]) -> Counter[tuple[str, str]]:
    """The rows of a trial balance by account and asset, debit positive."""
    return Counter(
        {(row["account"], row["asset"]): row["debit"] - row["credit"] for row in found["rows"]}
    )


def is_sale(entry: dict[str, Any]) -> bool:
    """Whether the event is a sale."""
    return "creator_share" in entry["body"]


def legs(entry: dict[str, Any], kind: str) -> Legs:
    """(owner, bucket, asset, credit) of the postings on accounts `kind.owner.bucket`."""
    for account, asset, amount in entry["postings"]:
        if account.startswith(f"{kind}."):
            _, owner, bucket = account.split(".")
            yield owner, bucket, asset, -amount


def wallets(rows: Rows) -> dict[str, dict[str, Any]]:
    """By user: free, held and lifetime figures, and frozen scopes."""
    found: dict[str, dict[str, Any]] = defaultdict(lambda: {"sums": Counter(), "frozen": set()})
    for entry in entries(rows):
        body, kind = entry["body"], entry["type"]
        for user, bucket, asset, credit in legs(entry, "w"):
            found[user]["sums"][bucket, asset.split(".")[1].lower()] += credit
            found[user]["sums"].update(_lifetime(kind, asset, credit))
        if kind == "tokens.purchased.v1":  # all of it arrived as granted or purchased by class
            found[body["user"]]["sums"].update(purchased=body["tokens"], granted=body["bonus"])
        if kind.startswith("account.") and body["kind"] == "wallet":
            stays = kind == "account.frozen.v1" or body.get("remains")
            change = set.add if stays else set.discard
            change(found[body["subject"]]["frozen"], body["scope"])
    return dict(found)


def _lifetime(kind: str, asset: str, credit: int) -> dict[str, int]:
    """What tokens came for, or went for."""
    if kind in {"credits.held.v1", "hold.released.v1", "tokens.purchased.v1"}:
        return {}
    if kind in GIVEN:
        return {"granted": credit}
    if kind in ENDED:
        return {"expired": -credit}
    if kind in UNDOES_A_PURCHASE:
        return {"granted" if asset.endswith(".PROMO") else "purchased": credit}
    return {"refunded": credit} if kind == "refund.recorded.v1" else {"spent": -credit}


def buckets(rows: Rows) -> dict[str, Counter[str]]:
    """By creator: what the platform owes, by bucket."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in entries(rows):
        for creator, bucket, _, credit in legs(entry, "cr"):
            found[creator][bucket] += credit
    return dict(found)


def nets(rows: Rows) -> Counter[tuple[str, str]]:
    """By creator and source: what sales brought and what was taken back."""
    products: dict[str, str] = {}
    found: Counter[tuple[str, str]] = Counter()
    for entry in entries(rows):
        body = entry["body"]
        if is_sale(entry):
            products[body["sale_id"]] = body["product"]
            for payee in body.get("payees", ()):
                found[payee["creator"], body["product"]] += payee["share"]
        if entry["type"] in TAKES_BACK:
            for claw in body.get("shares", ()):
                sale = claw.get("sale_id") or body["sale_id"]
                found[claw["creator"], products[sale]] -= claw.get("share", 0)
    return found


def nets_by_label(rows: Rows) -> Counter[tuple[str, str, str]]:
    """By creator, key and value: what sales with a label brought and what was taken back of them,
    by what was posted to the creator. Purchases that are lost take from sales of any label."""
    found: Counter[tuple[str, str, str]] = Counter()
    for entry in entries(rows):
        undone = entry["type"] in TAKES_BACK and "purchase_id" not in entry["body"]
        if is_sale(entry) or undone:
            for key, value in entry.get("labels", {}).items():
                for creator, _, _, credit in legs(entry, "cr"):
                    found[creator, key, value] += credit
    return found


def sources(rows: Rows) -> dict[str, Counter[str]]:
    """By source, all creators together: count, paid, tax, commission, net and tokens."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for sale in _sales(rows).values():
        body, net = sale["body"], sale["net"]
        if not body.get("payees"):
            continue  # sold by the platform itself: no creator earns
        paid, tokens = _left(sale)
        found[body["product"]].update(
            count=1,
            paid=paid,
            tax=sale["tax"],
            commission=paid - sale["tax"] - net,
            net=net,
            tokens=tokens,
        )
    return dict(found)


def offers(rows: Rows) -> dict[str, Counter[str]]:
    """By offer: uses, revenue, discount, and what the platform paid."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in entries(rows):
        body, kind = entry["body"], entry["type"]
        if kind == "offer.published.v1":
            found[body["offer_id"]].update(uses=0)
        elif "offer_id" in body and kind in {"payment.voided.v1", "payment.failed.v1"}:
            found[body["offer_id"]]["uses"] -= 1
        elif "offer_id" in body and kind not in {"payment.captured.v1", "offer.withdrawn.v1"}:
            found[body["offer_id"]]["uses"] += 1
    for sale in _sales(rows).values():
        body = sale["body"]
        if "offer_id" in body:
            paid, _ = _left(sale)
            ours = body.get("platform_discount", 0)
            found[body["offer_id"]].update(
                revenue=paid, discount=body["discount"], platform_discount=ours
            )
    return dict(found)


def _left(sale: dict[str, Any]) -> tuple[int, int]:
    """What is left of a sale: of its price after discount, and of its tokens."""
    body, net = sale["body"], sale["net"]
    if body["funding"] == "CARD":
        return sale["tax"] + sale["commission"] + net, 0
    whole = body["tokens_paid"] + body["tokens_promo"]
    left = Fraction(whole - sale["refunded"], whole or 1)
    value = (body["gross"] - body["discount"]) * left if whole else Fraction(0)
    paid, tokens = _nearest(value), whole - sale["refunded"]
    if sale["charged"]:
        kept = Fraction(net, net + sale["charged"])
        paid, tokens = _nearest(paid * kept), _nearest(tokens * kept)
    return paid, tokens


def _sales(rows: Rows) -> dict[str, dict[str, Any]]:
    """Every sale and what is left of it."""
    sales: dict[str, dict[str, Any]] = {}
    for entry in entries(rows):
        body, kind = entry["body"], entry["type"]
        if is_sale(entry):
            commission = body["platform_share"] if body["funding"] == "CARD" else 0
            sales[body["sale_id"]] = {
                "body": body, "net": body["creator_share"], "tax": body["tax"],
                "commission": commission, "refunded": 0, "charged": 0,
            }  # fmt: skip
        if kind == "refund.recorded.v1":
            sale = sales[body["sale_id"]]
            sale["refunded"] += body["amount"] if body["funding"] == "TOKEN" else 0
            sale["charged"] -= sum(sum(shares) for _, shares in body.get("uncharged", ()))
        if kind in TAKES_BACK:
            for claw in body.get("shares", ()):
                sale, share = sales[claw.get("sale_id") or body["sale_id"]], claw.get("share", 0)
                sale["net"] -= share
                sale["charged"] += share if "purchase_id" in body else 0
            if "sale_id" in body and sales[body["sale_id"]]["body"]["funding"] == "CARD":
                sales[body["sale_id"]]["tax"] -= body.get("tax", 0)
                sales[body["sale_id"]]["commission"] -= body.get("platform_share", 0)
    return sales


def _nearest(value: Fraction) -> int:
    """Half up."""
    return floor(value + Fraction(1, 2))


def entitled(rows: Rows) -> dict[tuple[str, str], tuple[str, str, str | None]]:
    """By user and item: product and sale of what entitles, and until when."""
    grants: dict[tuple[str, str], list[tuple[str, str, str | None]]] = defaultdict(list)
    products: dict[str, str] = {}
    for entry in entries(rows):
        body, kind = entry["body"], entry["type"]
        items = [tag.split(":")[1:] for tag in entry["tags"] if tag.startswith("entitlement:")]
        for user, item in items:
            of_item = grants[user, item]
            of_item[:] = [grant for grant in of_item if grant[1] != body["sale_id"]]
            if is_sale(entry):
                products[body["sale_id"]] = body["product"]
                until = body.get("period_end") or body.get("expires_at")
                of_item.append((body["product"], body["sale_id"], until))
            elif kind in {"dispute.won.v1", "refund.reversed.v1"}:
                product = products[body["sale_id"]]
                of_item.append((product, body["sale_id"], body.get("valid_until")))
    held = {}
    for key, of_item in grants.items():
        for grant in of_item:  # the one that lasts longest; the last of those alike
            if key not in held or (grant[2] or "forever") >= (held[key][2] or "forever"):
                held[key] = grant
    return held


def days(rows: Rows) -> dict[str, Counter[str]]:
    """By date: how often what happened, and what it came to."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in entries(rows):
        day, body = found[entry["effective_on"]], entry["body"]
        kind = "sale" if is_sale(entry) else entry["type"].rpartition(".v")[0]
        if body.get("part", 1) == 1:
            day[kind] += 1
        for field in ("amount", "gross", "tokens", "price", "fee", "released", "seconds"):
            day[f"{kind} {field}"] += body.get(field, 0)
        if kind == "refund.recorded":
            day[f"refund {body['funding']}"] += body["amount"]
    return dict(found)


def balances(
    rows: Rows, *, upto: int | None = None, effective_on: str | None = None
) -> Counter[tuple[str, str]]:
    """By account and asset, a debit positive."""
    sums: Counter[tuple[str, str]] = Counter()
    for entry in entries(rows):
        if upto is not None and entry["position"] > upto:
            continue
        if effective_on is not None and entry["effective_on"] > effective_on:
            continue
        for account, asset, amount in entry["postings"]:
            sums[account, asset] += amount
    return sums
