"""Notices of one payment may arrive in any order: with no spend between them all ends the same."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.generators.spending import POLICIES
from tests.reference_model.histories import Histories
from tests.support.examples import examples

Notice = tuple[str, dict[str, Any]]

CARD = {"funding": "CARD", "processor": "stripe", "processor_ref": "paid"}
SALES: dict[str, Notice] = {
    "tip": ("send-tip", {"user": "cid", "creator": "carl", "amount": 399, **CARD}),
    "unlock": ("unlock", {"user": "cid", "creator": "cora", "item": "x", "price": 399, **CARD}),
    "coupon": (
        "unlock",
        {
            "user": "cid",
            "creator": "cora",
            "item": "x",
            "price": 499,
            "discount": 7,
            "platform_discount": 93,
            **CARD,
        },
    ),
}
SUSPENSE = ("suspense", "USD")
PURCHASE: Notice = (
    "record-purchase",
    {
        "user": "cid",
        "package": "small",
        "price": 999,
        "processor": "stripe",
        "processor_ref": "paid",
    },
)


def notice(name: str, ref: str, **fields: Any) -> Notice:
    """A notice with a reference of its own."""
    return name, {**fields, "processor": "stripe", "processor_ref": ref}


def refunds(amounts: list[int], ref: str = "refund") -> list[Notice]:
    """What the processor says was refunded, cumulatively."""
    return [
        notice("record-refund", f"{ref}-{nth}", sale="paid", cumulative=amount)
        for nth, amount in enumerate(amounts)
    ]


def disputes(amounts: list[tuple[int, list[str]]]) -> list[Notice]:
    """Disputes, each with what was said of its end."""
    return [
        one
        for nth, (amount, ends) in enumerate(amounts)
        for one in (
            notice("open-dispute", f"d-{nth}", payment_ref="paid", amount=amount, fee=1_500),
            *(
                notice("close-dispute", f"end-{nth}-{at}", dispute=f"d-{nth}", outcome=outcome)
                for at, outcome in enumerate(ends)
            ),
        )
    ]


def ends_of(policy: str, notices: list[Notice]) -> tuple[dict[Any, int], Any]:
    """The balances after these notices in this order, and who is entitled to what."""
    history = Histories()
    history.begin(policy)
    for name, fields in notices:
        history.decide((name, fields, "amy"))
        history.the_books_agree()
    history.teardown()
    accounts = {key: amount for key, amount in history.witness.accounts.items() if amount}
    return accounts, history.auditor.entitled("cid", "x")


outcomes = st.lists(st.sampled_from(["WON", "LOST"]), max_size=2)
policies = st.sampled_from(sorted(POLICIES))


@examples(300)
@given(st.data())
def test_of_a_sale(data: st.DataObject) -> None:
    draw, policy = data.draw, data.draw(policies)
    part = st.integers(1, 399)
    sale = SALES[draw(st.sampled_from(sorted(SALES)))]
    reports = draw(st.lists(part | st.integers(398, 450), max_size=4))
    again = [each for each in reports if draw(st.booleans())]
    disputed = draw(st.lists(st.tuples(part, outcomes), max_size=2))
    notices = [sale, *refunds(reports), *disputes(disputed)]
    repeated = [*notices, *refunds(again, "again")]
    accounts, entitled = ends_of(policy, notices)
    assert (accounts, entitled) == ends_of(policy, draw(st.permutations(repeated)))
    assert accounts.get(SUSPENSE, 0) == max(0, *reports, 399) - 399


@examples(50)
@given(st.data())
def test_of_refunds_of_a_purchase(data: st.DataObject) -> None:
    draw, policy = data.draw, data.draw(policies)
    reports = draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    notices = [PURCHASE, *refunds(reports)]
    repeated = [*notices, *refunds(reports, "again")]
    accounts, entitled = ends_of(policy, notices)
    assert (accounts, entitled) == ends_of(policy, draw(st.permutations(repeated)))
    assert accounts["psp.stripe", "USD"] == 3 * 999 - max(reports)
    assert SUSPENSE not in accounts


@examples(200)
@given(st.data())
def test_of_a_purchase(data: st.DataObject) -> None:
    draw, policy = data.draw, data.draw(policies)
    part = st.integers(1, 999) | st.just(999)
    disputed = draw(st.lists(st.tuples(part, outcomes), min_size=1, max_size=3))
    notices = [PURCHASE, *disputes(disputed)]
    assert ends_of(policy, notices) == ends_of(policy, draw(st.permutations(notices)))


@examples(50)
@given(st.data())
def test_of_the_periods_of_a_subscription(data: st.DataObject) -> None:
    draw, policy = data.draw, data.draw(policies)
    subscription = {"subscription": "sub", "user": "cid", "creator": "carl", "price": 999}
    months = ["2026-10-01", "2026-11-01", "2026-12-01", "2027-01-01"]
    charged = [
        notice(
            "charge-period",
            f"period-{start}",
            subscription="sub",
            period_start=f"{start}T00:00:00Z",
            period_end=f"{end}T00:00:00Z",
            price=999,
        )
        for start, end in pairwise(months)
    ]
    refunded = notice("record-refund", "r", sale="period-2026-11-01", cumulative=400)
    notices = [("start-subscription", subscription), *charged, refunded]
    assert ends_of(policy, notices) == ends_of(policy, draw(st.permutations(notices)))
