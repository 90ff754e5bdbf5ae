"""The register of disputes, held against the log's own words."""

import itertools
import json
from contextlib import closing
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from ledger.books import create_book
from ledger.postgres.database import Database
from projections import queries
from projections.models.disputes import Disputes
from projections.queries import RegisterPlace, Wanted
from projections.rebuild import rebuild
from tests.conftest import FreshBook
from tests.projections.following import POLICY, follow
from tests.scenarios.steps import Sent, card_tip, policy, purchase, tip
from tests.scenarios.steps_disputes import disputed, ended, lost, won
from tests.scenarios.write_path import WritePath
from tests.support.examples import examples

WANTED = set(Wanted.__struct_fields__) - {"equal"}
PAYMENTS = ("p:1", "p:2", "p:3")
_numbers = itertools.count(1)


def opened(stage: WritePath) -> WritePath:
    """Two sales by card, one with labels, and a purchase of tokens of which some are spent."""
    stage.given(policy(POLICY))
    stage.given(card_tip(900, "ann", processor_ref="p:1", labels={"stream": "s1"}))
    stage.given(card_tip(500, "ben", processor_ref="p:2"))
    stage.given(purchase("small", 999, "cay", ref="p:3"), tip(400, "cay"))
    return stage


def listed(stage: WritePath, wanted: Wanted | None = None, **more: Any) -> list[Any]:
    """The register once it is at the head."""
    follow(stage.fresh)
    with stage.fresh.connect(autocommit=True) as connection:
        found, position = queries.register_page(
            connection, Disputes, wanted or Wanted(), "USD", **{"limit": 1_000, **more}
        )
    assert position == len(stage.rows())
    return found


def check(stage: WritePath) -> None:
    """The register says what the log says, and what is open is what the books say is disputed."""
    said: dict[str, dict[str, Any]] = {}
    for position, data in stage.rows():
        entry = json.loads(data)
        kind, _, what = entry["type"].removesuffix(".v1").partition(".")
        if kind != "dispute":
            continue
        body = entry["body"]
        one = said.setdefault(body["dispute_id"], {"first_position": position, "fee": 0})
        if what == "opened":
            one |= {name: body[name] for name in ("user", "amount", "processor", "bearer")}
            one |= {"sale": body.get("sale_id"), "purchase": body.get("purchase_id")}
            one |= {"processor_ref": body["dispute_ref"], "labels": entry.get("labels")}
        one["fee"] += body.get("fee", 0) * (-1 if what == "won" else 1)
        one |= {"status": "OPEN" if what == "opened" else what.upper(), "last_position": position}
    items = listed(stage)
    assert [item["id"] for item in items] == list(said)[::-1]
    for item in items:
        assert {name: item[name] for name in said[item["id"]]} == said[item["id"]]
    standing = sum(item["amount"] for item in items if item["status"] == "OPEN")
    assert standing == stage.balances()["disputed", "USD"]


def test_disputes_from_their_opening_to_their_end(stage: WritePath) -> None:
    opened(stage)
    for ref in PAYMENTS:
        stage.given(disputed(300, f"d:{ref}", payment_ref=ref))
        check(stage)
    stage.given(won("d:p:1"), lost("d:p:2"), lost("d:p:3"), won("d:p:3"))
    check(stage)
    bought, *_ = items = listed(stage)
    assert [item["status"] for item in items] == ["WON", "LOST", "WON"]
    with stage.fresh.connect(autocommit=True) as connection:
        one = queries.register_item(connection, Disputes, bought["id"], "USD")
        nothing = queries.register_item(connection, Disputes, "nobody-s", "USD")
    assert [each["status"] for each in one["history"]] == ["OPEN", "LOST", "WON"]
    assert nothing == {"as_of_position": len(stage.rows())}


def test_filters_of_disputes(stage: WritePath) -> None:
    opened(stage)
    for ref, amount in zip(PAYMENTS, (100, 200, 300), strict=True):
        stage.given(disputed(amount, f"d:{ref}", payment_ref=ref))
    stage.given(lost("d:p:2"))

    def refs(**asked: Any) -> list[str]:
        named = {name: asked.pop(name) for name in WANTED & set(asked)}
        wanted = Wanted(**named, equal=asked)
        return [item["processor_ref"] for item in listed(stage, wanted)]

    assert refs() == ["d:p:3", "d:p:2", "d:p:1"]
    assert refs(statuses=("LOST",)) == refs(user="ben") == ["d:p:2"]
    assert refs(labels={"stream": "s1"}) == refs(processor_ref="d:p:1") == ["d:p:1"]
    assert refs(min_amount=201) == ["d:p:3"]
    assert refs(processor="adyen") == []
    third, second, first = listed(stage)
    assert refs(purchase=third["purchase"]) == ["d:p:3"]
    assert refs(sale=second["sale"]) == ["d:p:2"]
    places = [RegisterPlace(each["first_position"], each["id"]) for each in (third, first)]
    assert listed(stage, limit=1, after=places[0]) == [second]
    assert listed(stage, newest_first=False, after=places[1]) == [second, third]
    assert listed(stage, last=first["first_position"]) == [first]


_said = st.one_of(
    st.builds(
        lambda n, ref, amount: disputed(amount, f"d:{n}", payment_ref=ref),
        st.integers(1, 4),
        st.sampled_from(PAYMENTS),
        st.sampled_from([1, 250, 500, 999, 1_200]),
    ),
    st.builds(
        lambda n, outcome: ended(f"d:{n}", outcome, f"e:{n}:{outcome}"),
        st.integers(1, 4),
        st.sampled_from(["WON", "LOST"]),
    ),
    st.builds(
        lambda n, ref: Sent(
            "record-refund",
            {"payment_ref": ref, "amount": 100, "processor": "stripe", "processor_ref": f"r:{n}"},
        ),
        st.integers(1, 3),
        st.sampled_from(PAYMENTS),
    ),
)


@examples(10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lives=st.lists(st.lists(_said, min_size=1, max_size=8), min_size=1, max_size=3))
def test_whatever_becomes_of_disputes_the_register_is_what_the_log_says(
    database: Database, lives: list[list[Sent]]
) -> None:
    name = f"Disputes-{next(_numbers)}"
    book = create_book(database.admin_url, name, currency="USD", time_zone="UTC")
    with closing(WritePath(FreshBook(book, database.service_url, database.admin_url))) as stage:
        opened(stage)
        for life in lives:
            stage.when(life)
            check(stage)
        for found in rebuild(database, stage.book, ["disputes"]):
            assert found.compared and found.differences == ()
