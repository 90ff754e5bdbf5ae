"""The policies of the scenarios, as far as the scenarios state them; keys as the contract's."""

from typing import Any

MICRO_UNLOCK: dict[str, Any] = {
    "profile": "micro-unlock",
    "currency": "USD",
    "time_zone": "UTC",
    "funding": ["TOKEN", "CARD"],
    "unit_value": 1,
    "revenue_share": {"default": 8000},
    "packages": {"small": {"tokens": 1000, "bonus": 100, "price": 999}},
    "products_enabled": ["unlock", "message", "ticket", "tip"],
    "price_bounds": {"unlock": {"min": 99, "max": 9999}},
    "tip_minimum": 1,
    "payout_minimum": 5000,
    "instant_fee_bps": 250,
    "dispute_bearer": "CREATOR_PROPORTIONAL",
}

LIVE_CALL: dict[str, Any] = {
    "profile": "live-call",
    "currency": "USD",
    "time_zone": "UTC",
    "funding": ["TOKEN"],
    "unit_value": 5,
    "revenue_share": {"default": 10_000},
    "packages": {
        "hundred": {"tokens": 100, "price": 999},
        "fifty": {"tokens": 50, "price": 500},
        "forty-nine": {"tokens": 49, "price": 490},
    },
    "products_enabled": ["ticket", "tip", "call"],
    "payout_minimum": 5000,
    "dispute_bearer": "PLATFORM",
}

SUBSCRIPTION: dict[str, Any] = {
    "profile": "subscription",
    "currency": "USD",
    "time_zone": "UTC",
    "funding": ["CARD"],
    "revenue_share": {"default": 8000},
    "products_enabled": ["subscription", "unlock", "message", "tip"],
    "tip_minimum": 1,
    "payout_minimum": 5000,
    "dispute_bearer": "CREATOR_PROPORTIONAL",
}

PREPAID_CREDITS: dict[str, Any] = {
    "profile": "prepaid-credits",
    "currency": "USD",
    "time_zone": "UTC",
    "funding": ["TOKEN"],
    "unit_value": 1,
    "revenue_share": {"default": 0},
    "packages": {"bulk": {"tokens": 12_000, "price": 96_000}},
    "products_enabled": ["hold"],
    "payout_minimum": None,
    "dispute_bearer": "PLATFORM",
}

SESSION_BOOKING: dict[str, Any] = {
    "profile": "session-booking",
    "currency": "USD",
    "time_zone": "UTC",
    "funding": ["CARD"],
    "revenue_share": {
        "default": 7000,
        "tiers": {"STANDARD": 7000, "VERIFIED": 7500, "EXPERT": 8000},
    },
    "products_enabled": ["session", "unlock", "message", "ticket"],
    "payout_minimum": 5000,
    "dispute_bearer": "CREATOR_PROPORTIONAL",
    "hold_expiry_hours": 24,
}
