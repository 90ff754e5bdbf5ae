"""Random commands, valid and not: small populations and round numbers, so that things collide."""

from typing import Any

from hypothesis import strategies as st

from tests.scenarios.policies import MICRO_UNLOCK

POLICY: dict[str, Any] = {
    **MICRO_UNLOCK,
    "packages": {
        "small": {"tokens": 1000, "bonus": 100, "price": 999},
        "odd": {"tokens": 7, "bonus": 0, "price": 13},
    },
    "revenue_share": {"default": 8000, "tip": 3333, "ticket": 8999},
    "products_enabled": ["unlock", "ticket", "tip"],
}

people = st.sampled_from(["ann", "ben", "cid"])
creators = st.sampled_from(["carl", "cora", "ann"])
items = st.sampled_from(["photo", "film", "song"])
prices = st.sampled_from([0, 1, 98, 99, 100, 333, 399, 701, 9_999, 10_000, 10**12])
references = st.integers(1, 10**9).map(lambda n: f"ref-{n}")
token = st.just({"funding": "TOKEN"})
card = st.fixed_dictionaries(
    {"funding": st.just("CARD"), "processor": st.just("stripe"), "processor_ref": references}
)
frozen = {
    "subject": people,
    "kind": st.sampled_from(["wallet", "creator"]),
    "scope": st.sampled_from(["SPEND", "EARN", "PAYOUT"]),
    "reason_code": st.just("REVIEW"),
}


def merged(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """The fields of all parts."""
    return st.tuples(*parts).map(lambda found: {k: v for part in found for k, v in part.items()})


def discounted(fields: dict[str, Any]) -> dict[str, Any]:
    """A discount that is never more than the price."""
    return {**fields, "discount": min(fields["discount"], fields["price"])}


_item = merged(
    st.fixed_dictionaries(
        {
            "user": people,
            "creator": creators,
            "item": items,
            "price": prices,
            "discount": st.sampled_from([0, 0, 0, 1, 50, 10**12]),
        }
    ),
    token | card,
).map(discounted)

FIELDS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "record-purchase": st.fixed_dictionaries(
        {
            "user": people,
            "package": st.sampled_from(["small", "small", "odd", "huge"]),
            "price": st.sampled_from([999, 999, 13, 998]),
            "processor": st.just("stripe"),
            "processor_ref": references,
        }
    ),
    "grant-promo": st.fixed_dictionaries(
        {"user": people, "tokens": st.integers(1, 500), "reason_code": st.just("GIFT")}
    ),
    "send-tip": merged(
        st.fixed_dictionaries({"user": people, "creator": creators, "amount": st.integers(1, 400)}),
        token | card,
    ),
    "unlock": _item,
    "unlock-message": _item,
    "buy-ticket": _item,
    "freeze": st.fixed_dictionaries(frozen),
    "unfreeze": st.fixed_dictionaries(frozen),
}
"""What may be sent, by command."""

# Spending is what goes wrong, so it is drawn most often.
_often = ["send-tip"] * 5 + ["unlock", "buy-ticket", "record-purchase"] * 3
commands = st.sampled_from([*_often, *FIELDS]).flatmap(
    lambda name: st.tuples(st.just(name), FIELDS[name])
)
