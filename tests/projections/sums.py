"""What the read models should say, summed from a log in the plainest way, sharing no code."""

import json
from collections import Counter, defaultdict
from typing import Any

Rows = list[tuple[int, bytes]]


def entries(rows: Rows) -> list[dict[str, Any]]:
    """The log as plain dictionaries."""
    return [{**json.loads(data), "position": position} for position, data in rows]


def is_sale(entry: dict[str, Any]) -> bool:
    """Whether the event is a sale."""
    return "sale_id" in entry["body"]


def wallets(rows: Rows) -> dict[str, dict[str, Any]]:
    """By user: free and lifetime figures, and frozen scopes."""
    found: dict[str, dict[str, Any]] = defaultdict(lambda: {"sums": Counter(), "frozen": set()})
    for entry in entries(rows):
        body, kind = entry["body"], entry["type"]
        for account, asset, amount in entry["postings"]:
            if account.startswith("w."):
                _, user, bucket = account.split(".")
                found[user]["sums"][bucket, asset.split(".")[1].lower()] -= amount
        if kind == "tokens.purchased.v1":
            found[body["user"]]["sums"]["purchased"] += body["tokens"]
            found[body["user"]]["sums"]["granted"] += body["bonus"]
        if kind == "promo_tokens.granted.v1":
            found[body["user"]]["sums"]["granted"] += body["tokens"]
        if is_sale(entry) and body["funding"] == "TOKEN":
            found[body["buyer"]]["sums"]["spent"] += body["tokens_paid"] + body["tokens_promo"]
        if kind.startswith("account.") and body["kind"] == "wallet":
            change = set.add if kind == "account.frozen.v1" else set.discard
            change(found[body["subject"]]["frozen"], body["scope"])
    return dict(found)


def creators(rows: Rows) -> dict[str, dict[str, Counter[str]]]:
    """By creator: buckets, and figures by source."""
    found: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for entry in entries(rows):
        body = entry["body"]
        for account, _, amount in entry["postings"]:
            if account.startswith("cr."):
                _, creator, bucket = account.split(".")
                found[creator]["buckets"][bucket] -= amount
        if is_sale(entry):
            found[body["creator"]][body["product"]].update(
                count=1,
                gross=body["gross"] - body["discount"],
                net=body["creator_share"],
                tokens=body["tokens_paid"] + body["tokens_promo"],
                commission=body["gross"] - body["discount"] - body["tax"] - body["creator_share"],
            )
    return {creator: dict(parts) for creator, parts in found.items()}


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
