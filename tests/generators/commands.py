"""Random commands of all kinds: those that carry on what earlier ones have begun.

`anything` draws a command's name, its fields (references unresolved) and who sends it.
"""

from typing import Any

from hypothesis import strategies as st

from tests.generators.settlements import SETTLEMENTS
from tests.generators.spending import (
    BODIES,
    SPENDING,
    Body,
    Fields,
    Later,
    Token,
    amounts,
    asked_for,
    countries,
    creators,
    discounted,
    merged,
    numbers,
    offers,
    paid_by_card,
    people,
    reasons,
    reductions,
    ref,
    seconds,
    some,
    upcoming,
)

ACTORS = st.sampled_from(["amy", "bob", "carl"])
later = st.builds(Later, seconds)
tokens = st.sampled_from([1, 3, 7, 50, 120, 400, 1_000])
fixed = st.fixed_dictionaries
calls = st.sampled_from(["call-1", "call-2", "call-3"])
subscriptions = st.sampled_from(["sub-1", "sub-2"])
plans = st.sampled_from(["basic", "plus"])
starts = st.sampled_from(["2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"])
periods = st.sampled_from(["2026-08", "2026-09", "2026-10", "2026-11", "2026-12"])
call = fixed({"call": calls})
hold = ref("hold")
payout = fixed({"payout": ref("payout")})
reasoned = fixed({"payout": ref("payout"), "reason_code": reasons})
adjustment = fixed({"adjustment": ref("adjustment")})
proposal = fixed({"proposal": ref("proposal")})
payments = ref("payment", upcoming)


def posted(*legs: tuple[Any, Any, int]) -> st.SearchStrategy[list[list[Any]]]:
    """Postings with these legs, one asset or more."""
    return st.just([list(leg) for leg in legs])


def _given(amount: int) -> st.SearchStrategy[list[list[Any]]]:
    """Corrections of one amount: of earnings, debts and tokens, sound and not."""
    promo, paid = Token("PROMO"), Token("PAID")
    return st.one_of(
        posted(("exp.goodwill", "USD", amount), ("cr.carl.available", "USD", -amount)),
        posted(("cr.cora.available", "USD", amount), ("exp.baddebt", "USD", -amount)),
        posted(("exp.baddebt", "USD", amount), ("fan_debt.ann", "USD", -amount)),
        posted(("fan_debt.ann", "USD", amount), ("exp.baddebt", "USD", -amount)),
        posted(("bank", "USD", amount), ("fan_debt.ben", "USD", -amount)),
        posted(("bank", "USD", amount + 1), ("rev.fee", "USD", -amount)),
        posted(("bank", "EUR", amount), ("rev.fee", "EUR", -amount)),
        posted(("supply", promo, amount), ("w.ann.free", promo, -amount)),
        posted(("w.ben.free", promo, amount), ("w.ann.free", promo, -amount)),
        posted(("w.ben.free", paid, amount), ("w.ann.free", paid, -amount)),
        posted(("w.ann.free", paid, amount), ("supply", paid, -amount)),
        posted(
            ("supply", paid, amount),
            ("w.ben.free", paid, -amount),
            ("exp.goodwill", "USD", 2 * amount),
            ("deferred", "USD", -2 * amount),
        ),
    )


tiers = st.sampled_from(["NEW", "REGULAR", "VIP"])
_offers: dict[str, Fields] = {
    "publish-offer": merged(
        some(
            {
                "max_uses": st.integers(1, 3),
                "max_uses_per_user": st.integers(1, 2),
                "eligible": some(
                    {
                        "first_purchase": st.booleans(),
                        "users": st.lists(people, min_size=1, max_size=2),
                        "tiers": st.lists(tiers, min_size=1, max_size=2),
                    }
                ),
            },
            offer=offers,
            products=st.lists(
                st.sampled_from(["unlock", "message", "ticket", "tip", "subscription", "session"]),
                min_size=2,
                unique=True,
            ),
            starts_at=st.builds(Later, st.sampled_from([-3_600, -1, 0, 60])),
            ends_at=st.builds(Later, st.sampled_from([61, 3_600, 90_000, 3_000_000])),
        ),
        st.one_of(
            fixed({"discount": amounts}),
            fixed({"discount_bps": st.sampled_from([1, 1_000, 3_333, 10_000])}),
            some({"discount_bps": st.just(1_500)}, platform_discount=amounts),
        ),
    ),
    "withdraw-offer": fixed({"offer": offers}),
    "change-tier": fixed(
        {
            "user": people,
            "at": st.builds(Later, st.sampled_from([-90_000, -60, -1, 60])),
            "spend": st.sampled_from([0, 299, 300, 1_499, 1_500, 10**12]),
            "window_days": st.sampled_from([30, 30, 3]),
            "as_of_position": st.integers(0, 20),
        }
    ),
}
_sessions: dict[str, Fields] = {
    "authorize": some(
        {
            **reductions,
            "expires_at": later,
            "country": countries,
            "payees": st.sampled_from(
                [
                    [{"creator": "cora", "weight": 2}, {"creator": "carl", "weight": 1}],
                    [{"creator": "carl", "weight": 3}, {"creator": "dora", "weight": 3}],
                ]
            ),
        },
        session=st.just("session"),
        user=people,
        payee=st.just("carl"),
        tier=st.sampled_from(["STANDARD", "STANDARD", "EXPERT"]),
        amount=amounts,
        **paid_by_card,
    ).map(discounted),
    "capture": some({"final": st.booleans()}, payment=ref("authorization"), amount=amounts),
    "start-session": fixed({"payment": ref("authorization")}),
    "extend-authorization": fixed({"payment": ref("authorization"), "expires_at": later}),
    "void": fixed({"payment": ref("authorization"), "reason_code": reasons}),
    "fail-payment": merged(
        fixed({"reason_code": reasons, **paid_by_card}),
        st.one_of(
            fixed({"payment": ref("authorization")}),
            fixed({"payment_ref": payments}),
            fixed({"sale": payments | ref("sale")}),
        ),
    ),
}
_subscriptions: dict[str, Fields] = {
    "start-subscription": some(
        {"creator": creators, "plan": plans},
        subscription=subscriptions,
        user=people,
        price=amounts,
    ),
    "change-subscription": fixed(
        {"subscription": subscriptions, "plan": plans, "price": amounts, "from_period": starts}
    ),
    "charge-period": some(
        {"country": countries, **reductions},
        subscription=subscriptions,
        period_start=starts,
        period_end=st.just("2027-01-01T00:00:00Z"),
        price=amounts,
        **paid_by_card,
    ).map(discounted),
    "fail-period": fixed({"subscription": subscriptions, "period_start": starts, **paid_by_card}),
    "cancel-subscription": fixed({"subscription": subscriptions}),
    "lapse-subscription": fixed({"subscription": subscriptions}),
}
_calls: dict[str, Fields] = {
    "start-call": fixed(
        {
            "call": calls,
            "user": people,
            "creator": creators,
            "rate": st.sampled_from([1, 3, 25, 60, 62, 900]),
        }
    ),
    "meter-call": some({"as_of": later}, call=calls),
    "pause-call": call,
    "resume-call": call,
    "end-call": call,
}
_holds: dict[str, Fields] = {
    "hold-credits": some({"expires_at": later}, user=people, tokens=tokens),
    "settle-batch": fixed({"hold": hold, "batch_no": st.integers(1, 3), "used": tokens}),
    "release-hold": fixed({"hold": hold}),
}
_back: dict[str, Fields] = {
    "refund": fixed({"sale": ref("sale"), "amount": amounts, "reason_code": asked_for}),
    "record-refund": merged(
        fixed(paid_by_card),
        st.one_of(
            fixed({"sale": payments | ref("sale")}),
            fixed({"payment_ref": payments}),
            fixed({"purchase": payments | ref("purchase")}),
        ),
        fixed({"cumulative": amounts}) | fixed({"amount": amounts}),
        some({"occurred_at": later}),
    ),
    "fail-refund": merged(
        some({"occurred_at": later}, reason_code=reasons, **paid_by_card),
        fixed({"refund": ref("refund") | ref("report", upcoming)}),
    ),
    "refund-purchase": fixed({"purchase": ref("purchase"), "reason_code": asked_for}),
    "open-dispute": merged(
        fixed({"amount": amounts, "fee": st.sampled_from([0, 1_500]), **paid_by_card}),
        some({"final": st.booleans()}),
        st.one_of(
            fixed({"payment_ref": payments}),
            fixed({"purchase": payments | ref("purchase", numbers)}),
            fixed({"purchase": ref("purchase", numbers), "amount": st.just(999)}),
            fixed({"sale": payments | ref("sale")}),
        ),
    ),
    "close-dispute": fixed(
        {
            "dispute": ref("dispute", upcoming),
            "outcome": st.sampled_from(["WON", "LOST", "LOST"]),
            **paid_by_card,
        }
    ),
    "release-payment": fixed(
        {
            "payment_ref": payments | ref("report") | ref("dispute"),
            "resolution": st.sampled_from(["APPLY", "RETURN"]),
        }
    ),
}
_creators: dict[str, Fields] = {
    "verify-creator": fixed({"creator": creators, "verified": st.booleans()}),
    "set-payout-account": some(
        {"country": countries},
        creator=creators,
        payouts_enabled=st.sampled_from([True, True, False]),
    ),
    "mature-earnings": fixed({"creator": creators}),
    "release-escrow": fixed({"creator": creators}),
    "expire-promo": fixed({"user": people}),
    "lapse-tokens": fixed({"user": people}),
}
_payouts: dict[str, Fields] = {
    "request-payout": st.one_of(
        fixed({"creator": creators, "amount": amounts}),
        fixed({"creator": creators, "amount": amounts, "instant": st.just(True)}),
        fixed({"creator": creators, "scheduled": st.just(True)}),
    ),
    "approve-payout": payout,
    "reject-payout": reasoned,
    "submit-payout": merged(payout, fixed(paid_by_card)),
    "confirm-payout": payout,
    "fail-payout": reasoned,
    "return-payout": reasoned,
}
_office: dict[str, Fields] = {
    "propose-adjustment": some(
        {"effective_on": st.sampled_from(["2026-09-30", "2026-11-01", "2099-01-01"])},
        postings=amounts.flatmap(_given),
        reason_code=reasons,
    ),
    "approve-adjustment": adjustment,
    "reject-adjustment": merged(adjustment, fixed({"reason_code": reasons})),
    "close-period": fixed({"period": periods}),
    "approve-proposal": proposal,
    "reject-proposal": merged(proposal, fixed({"reason_code": reasons})),
    "propose-policy": fixed(
        {
            "body": st.builds(Body, st.sampled_from(sorted(BODIES))),
            "effective_from": later | st.just("1970-01-01T00:00:00Z"),
        }
    ),
    "approve-policy": fixed({"version": st.integers(1, 4)}),
    "erase-subject": fixed(
        {"subject": people | creators, "kind": st.sampled_from(["wallet", "creator"])}
    ),
}
_more: dict[str, Fields] = {
    "grant-promo": some(
        {"expires_at": later}, user=people, tokens=st.integers(1, 500), reason_code=reasons
    ),
}

FIELDS: dict[str, Fields] = {
    **SPENDING,
    **_more,
    **_offers,
    **_sessions,
    **_subscriptions,
    **_calls,
    **_holds,
    **_back,
    **_creators,
    **_payouts,
    **_office,
    **SETTLEMENTS,
}
"""What may be sent, by command."""

# What moves money is drawn more often than what decides about others; policies hardly ever.
_rare = {"propose-policy", "approve-policy", "freeze", "erase-subject", "close-period"}
_often = ["send-tip", "unlock", "record-purchase", "refund", "record-refund", "open-dispute"]
_names = [
    *[name for name in FIELDS if name not in _rare] * 3,
    *[*_often, "close-dispute", "meter-call", "start-call", "request-payout"] * 3,
    *_rare,
]
Drawn = tuple[str, dict[str, Any], str]

#: Notices that may name the currency of their figures; sales do where a card pays them.
_FIGURES = {
    *("record-purchase", "charge-period", "fail-period", "record-refund", "fail-refund"),
    *("fail-payment", "open-dispute", "close-dispute"),
}
_SALES = {"send-tip", "unlock", "unlock-message", "buy-ticket"}
_currencies = st.sampled_from([None] * 14 + ["USD", "EUR"])
_labels = st.sampled_from([None] * 5 + [{"stream": "s1"}, {"stream": "s2", "campaign": "c7"}])


def _with_more(
    name: str, fields: dict[str, Any], currency: str | None, labels: dict[str, str] | None
) -> dict[str, Any]:
    """The fields, some of them with labels or a currency."""
    by_card = name in _SALES and fields["funding"] == "CARD"
    more: dict[str, Any] = {} if labels is None else {"labels": labels}
    if currency is not None and (by_card or name in _FIGURES):
        more["currency"] = currency
    return {**fields, **more}


anything: st.SearchStrategy[Drawn] = st.sampled_from(_names).flatmap(
    lambda name: st.tuples(
        st.just(name),
        st.builds(_with_more, st.just(name), FIELDS[name], _currencies, _labels),
        ACTORS,
    )
)
