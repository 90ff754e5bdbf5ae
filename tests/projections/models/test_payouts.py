"""The register of payouts, held against the log's own words."""

import itertools
import json
from collections import Counter
from contextlib import closing
from datetime import datetime
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from ledger.books import create_book
from ledger.postgres.database import Database
from projections import queries
from projections.models.payouts import Payouts
from projections.queries import RegisterPlace, Wanted
from projections.rebuild import rebuild
from tests.conftest import FreshBook
from tests.projections.following import follow
from tests.scenarios.steps import Sent, card_tip, policy
from tests.scenarios.steps_finance import BOB, FAY, payout, ready
from tests.scenarios.steps_money_back import POLICY
from tests.scenarios.write_path import WritePath
from tests.support.examples import examples

CREATORS = ("cora", "carl")
DOCUMENT = {**POLICY, "products_enabled": ["tip"], "instant_fee_bps": 250, "withholding_bps": 1_000}
WANTED = set(Wanted.__struct_fields__) - {"equal"}
_numbers = itertools.count(1)


def opened(stage: WritePath) -> WritePath:
    """Two creators have earned and may be paid."""
    stage.given(policy(DOCUMENT))
    for creator in CREATORS:
        stage.given(card_tip(100_000, creator=creator), ready(creator))
    return stage


def listed(stage: WritePath, wanted: Wanted | None = None, **more: Any) -> list[Any]:
    """The register once it is at the head."""
    follow(stage.fresh)
    with stage.fresh.connect(autocommit=True) as connection:
        found, position = queries.register_page(
            connection, Payouts, wanted or Wanted(), "USD", **{"limit": 1_000, **more}
        )
    assert position == len(stage.rows())
    return found


def step(command: str, number: str, **more: Any) -> Sent:
    """What somebody does about a payout."""
    who = BOB if command in {"approve-payout", "reject-payout"} else FAY
    if command == "submit-payout":
        more |= {"processor": "bank", "processor_ref": f"t:{number}"}
    if command in {"reject-payout", "fail-payout", "return-payout"}:
        more |= {"reason_code": "DOUBT"}
    return Sent(command, {"payout": number, **more}, *who)


def expected(stage: WritePath) -> dict[str, dict[str, Any]]:
    """Each payout by the last thing that was said of it, from the log's plain JSON."""
    found: dict[str, dict[str, Any]] = {}
    for position, data in stage.rows():
        entry = json.loads(data)
        kind, _, what = entry["type"].removesuffix(".v1").partition(".")
        if kind != "payout":
            continue
        body = entry["body"]
        one = found.setdefault(
            body["payout_id"],
            {"created_at": entry["recorded_at"], "first_position": position, "labels": None},
        )
        one |= {name: value for name, value in body.items() if name not in ("payout_id", "at")}
        one |= {"status": what.upper(), "last_position": position}
        one["updated_at"] = entry["recorded_at"]
        if what == "requested":
            one["labels"] = entry.get("labels")
        if what == "paid":
            one["paid_at"] = body["at"]
    return found


def check(stage: WritePath) -> None:
    """The register says what the log says, and what is on its way is what creators have in it."""
    items, said = listed(stage), expected(stage)
    assert [item["id"] for item in items] == list(said)[::-1]
    for item in items:
        for name, value in said[item["id"]].items():
            found = item[name]
            if isinstance(found, datetime):
                value = datetime.fromisoformat(value)  # noqa: PLW2901
            assert found == value, (item["id"], name)
        assert item["gross"] == item["fee"] + item["withheld"] + item["net"]
    on_its_way: Counter[str] = Counter()
    for item in items:
        if item["status"] in {"REQUESTED", "APPROVED", "SUBMITTED"}:
            on_its_way[f"cr.{item['creator']}.payout"] += item["gross"]
    balances = stage.balances()
    for creator in CREATORS:
        account = f"cr.{creator}.payout"
        assert -balances[account, "USD"] == on_its_way[account]


def test_a_payout_from_its_request_to_its_return(stage: WritePath) -> None:
    opened(stage)
    stage.when(payout(5_000, "cora", instant=True).but(labels={"run": "r1"}))
    number = stage.outcomes[0].event["payout_id"]
    for command in ("approve-payout", "submit-payout", "confirm-payout", "return-payout"):
        check(stage)
        stage.given(step(command, number))
    check(stage)
    with stage.fresh.connect(autocommit=True) as connection:
        one = queries.register_item(connection, Payouts, number, "USD")
        assert queries.register_item(connection, Payouts, "nobody-s", "USD") == {
            "as_of_position": len(stage.rows())
        }
    statuses = ["REQUESTED", "APPROVED", "SUBMITTED", "PAID", "RETURNED"]
    assert [each["status"] for each in one["history"]] == statuses
    assert one["approver"] == "bob" and one["processor_ref"] == f"t:{number}"
    assert (one["reason"], one["labels"], one["instant"]) == ("DOUBT", {"run": "r1"}, True)
    ends = [tuple(posting) for posting in one["history"][-1]["postings"]]
    assert ("bank", "USD", one["net"]) in ends


def test_filters_of_payouts(stage: WritePath) -> None:
    opened(stage)
    stage.when(payout(5_000, "cora").but(labels={"run": "r1"}), payout(7_000, "carl"))
    first, second = (outcome.event["payout_id"] for outcome in stage.outcomes)
    stage.given(step("approve-payout", first), step("submit-payout", first))

    def ids(**wanted: Any) -> list[str]:
        others = {name: wanted.pop(name) for name in WANTED & set(wanted)}
        return [item["id"] for item in listed(stage, Wanted(equal=wanted, **others))]

    assert ids() == [second, first]
    assert ids(statuses=("SUBMITTED",)) == ids(creator="cora") == ids(processor="bank") == [first]
    assert ids(processor_ref=f"t:{first}") == ids(labels={"run": "r1"}) == [first]
    assert ids(labels={"run": "r2"}) == ids(requested_by="ann") == []
    assert ids(min_amount=5_001) == [second]
    assert ids(requested_by="fay") == [second, first]
    oldest = listed(stage, newest_first=False, limit=1)
    begun = oldest[0]["first_position"]
    rest = listed(stage, newest_first=False, after=RegisterPlace(begun, oldest[0]["id"]))
    assert [item["id"] for item in oldest + rest] == [first, second]
    assert listed(stage, last=begun) == oldest and listed(stage, first=begun + 1) == rest
    assert listed(stage, last=begun - 1) == []


_steps = st.sampled_from(
    [
        "request-payout", "approve-payout", "submit-payout", "confirm-payout", "fail-payout",
        "reject-payout", "return-payout",
    ]
)  # fmt: skip


@examples(10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(_steps, st.sampled_from(CREATORS), st.integers(1, 60_000), st.booleans()),
        max_size=25,
    )
)
def test_whatever_becomes_of_payouts_the_register_is_what_the_log_says(
    database: Database, lives: list[tuple[str, str, int, bool]]
) -> None:
    name = f"Payouts-{next(_numbers)}"
    book = create_book(database.admin_url, name, currency="USD", time_zone="UTC")
    with closing(WritePath(FreshBook(book, database.service_url, database.admin_url))) as stage:
        opened(stage)
        last: dict[str, str] = {}
        for command, creator, amount, looks in lives:
            if command == "request-payout":
                stage.when(payout(amount, creator, instant=looks))
                if stage.outcomes[0].status == 201:
                    last[creator] = stage.outcomes[0].event["payout_id"]
            elif creator in last:
                stage.when(step(command, last[creator]))
            if looks:
                check(stage)
        check(stage)
        for found in rebuild(database, stage.book, ["payouts"]):
            assert found.compared and found.differences == ()
