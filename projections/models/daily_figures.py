"""The question of daily figures: each business day of a range as one document.

Amounts are minor units and counts are of events. Refunds, chargebacks and payouts count on the day
on which they happened, so a day that was reported changes only by a fact that arrives late.
"""

from datetime import date
from typing import Any

from ledger.postgres.database import Connection
from projections.models.daily import Daily

_NO_SALES = {
    "count": 0, "gross": 0, "tokens": 0, "tax": 0, "creator_share": 0, "platform_share": 0,
}  # fmt: skip
_CALLS = {
    "started": "call_started",
    "ended": "call_ended",
    "seconds": "call_second",
    "blocks_written_off": "call_block_written_off",
}
_NO_FACT = {"count": 0, "amount": 0, "tokens": 0}

SQL = Daily().sql


def daily(connection: Connection, first: date, last: date) -> dict[str, Any]:
    """The days from `first` to `last`, both included; days without any figures are left out."""
    rows = connection.execute(SQL["daily"], (first, last)).fetchall()
    return {
        "days": [_day(*row[1:]) for row in rows if row[1] is not None],
        "as_of_position": rows[0][0] if rows else 0,
    }


def _day(day: date, *figures: Any) -> dict[str, Any]:
    sales, tokens, amount, granted, payers, products, facts = figures
    products, facts = products or {}, facts or {}

    def sold(product: str) -> dict[str, int]:
        found: dict[str, int] = products.get(product, _NO_SALES)
        return found

    def fact(name: str, *names: str) -> dict[str, int]:
        found = facts.get(name, _NO_FACT)
        return {each: found[each] for each in names or _NO_FACT}

    def count(name: str) -> int:
        return fact(name)["count"]

    tips = sold("tip")
    return {
        "date": day,
        "token_sales": {"count": sales, "tokens": tokens, "amount": amount},
        "tokens_granted": granted,
        "tokens_expired": fact("expired")["tokens"],
        "tokens_lapsed": fact("lapsed", "tokens", "amount"),
        "sales_by_product": products,
        "payers": payers,
        "tips": {"count": tips["count"], "amount": tips["gross"], "tokens": tips["tokens"]},
        "call_blocks": sold("call")["count"],
        "call_minutes": count("call_second") // 60,
        "calls": {name: count(fact) for name, fact in _CALLS.items()},
        "subscriptions": {
            "started": count("subscription_started"),
            "periods": sold("subscription")["count"],
            "failed": count("subscription_failed"),
            "cancelled": count("subscription_cancelled"),
            "lapsed": count("subscription_lapsed"),
        },
        "sessions": {
            "authorized": count("session_authorized"),
            "captured": sold("session")["count"],
            "voided": count("session_voided"),
        },
        "usage": fact("batch_settled"),
        "refunds": fact("refund"),
        "refunds_reversed": fact("refund_reversed", "count", "amount"),
        "payments_failed": fact("payment_failed", "count", "amount"),
        "purchase_refunds": fact("purchase_refund"),
        "disputes": {
            "opened": fact("dispute_opened", "count", "amount"),
            "lost": fact("dispute_lost", "count", "amount"),
            "won": fact("dispute_won", "count", "amount"),
            "fees": fact("dispute_fee")["amount"],
        },
        "payouts": {
            "requested": fact("payout_requested", "count", "amount"),
            "paid": fact("payout_paid", "count", "amount"),
            "returned": fact("payout_returned", "count", "amount"),
        },
    }
