"""The question of analytics: each business day, week or month of a range as one document.

Amounts are minor units and counts are of events. Refunds, chargebacks and payouts count on the day
on which they happened, so a day that was reported changes only by a fact that arrives late. Ratios
stand beside what they are made of; they are rounded half up, and null where there is no divisor.
"""

from datetime import date
from typing import Any, Literal

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

#: Streams that one day, week or month tells apart; the others stand under null.
STREAMS_MAX = 100
BPS = 10_000

#: Figures by product or fact.
Sums = dict[str, dict[str, int]]
Unit = Literal["day", "week", "month"]
SQL = Daily().sql


def daily(connection: Connection, first: date, last: date) -> dict[str, Any]:
    """The days from `first` to `last`, both included; days without any figures are left out."""
    return analytics(connection, "day", first, last)


def analytics(connection: Connection, unit: Unit, first: date, last: date) -> dict[str, Any]:
    """The same as `days`, or `weeks` or `months`, of which `first` and `last` are the first day of
    one and the last day of one. Each has its first day as `date`."""
    values = {"unit": unit, "first": first, "last": last, "streams": STREAMS_MAX}
    rows = connection.execute(SQL["figures"], values).fetchall()
    found = []
    for _, first_day, last_day, *figures in rows:
        if first_day is not None:
            dates = {"date": first_day} | ({} if unit == "day" else {"to": last_day})
            found.append(dates | _figures(*figures))
    return {f"{unit}s": found, "as_of_position": rows[0][0] if rows else 0}


def _figures(*figures: Any) -> dict[str, Any]:
    sales, tokens, amount, granted, payers, products, facts, streams = figures
    products, facts = products or {}, facts or {}

    def sold(product: str) -> dict[str, int]:
        found: dict[str, int] = products.get(product, _NO_SALES)
        return found

    def fact(name: str, *names: str) -> dict[str, int]:
        found = facts.get(name, _NO_FACT)
        return {each: found[each] for each in names or _NO_FACT}

    def count(name: str) -> int:
        return fact(name)["count"]

    found = sold("tip")
    tips = {"count": found["count"], "amount": found["gross"], "tokens": found["tokens"]}
    return {
        "token_sales": {"count": sales, "tokens": tokens, "amount": amount},
        "tokens_granted": granted,
        "tokens_expired": fact("expired")["tokens"],
        "tokens_lapsed": fact("lapsed", "tokens", "amount"),
        "sales_by_product": products,
        "payers": payers,
        **_worth(amount, payers, products, facts),
        "tips": tips,
        "tips_by_stream": _with_rest(streams or [], tips),
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


def _worth(bought: int, payers: int, products: Sums, facts: Sums) -> dict[str, Any]:
    """What users paid and the platform kept, for each payer, and what of creators' earnings was
    paid out. `bought` is what users paid for tokens."""

    def amount(fact: str) -> int:
        return facts.get(fact, _NO_FACT)["amount"]

    def for_each(money: int) -> dict[str, int | None]:
        return {"amount": money, "payers": payers, "per_payer": _ratio(money, payers)}

    margin = sum(each["platform_share"] for each in products.values()) + amount("batch_settled")
    earned = sum(each["creator_share"] for each in products.values())
    cashed = amount("payout_paid") - amount("payout_returned")
    return {
        "arppu": for_each(bought + amount("card_sale")),
        "margin_per_payer": for_each(margin),
        "cash_out": {
            "amount": cashed,
            "earned": earned,
            "rate_bps": _ratio(cashed * BPS, earned),
        },
    }


def _ratio(amount: int, divisor: int) -> int | None:
    return (2 * amount + divisor) // (2 * divisor) if divisor > 0 else None


def _with_rest(streams: list[dict[str, Any]], tips: dict[str, int]) -> list[dict[str, Any]]:
    """The streams, and under null what they lack of all tips."""
    rest = {
        name: all_of_it - sum(each[name] for each in streams) for name, all_of_it in tips.items()
    }
    return [*streams, {"stream": None, **rest}] if any(rest.values()) else streams
