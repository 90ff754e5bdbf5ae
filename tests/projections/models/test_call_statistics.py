"""Statistics of calls by hand: of all, of a fan and of a creator."""

from datetime import date
from typing import Any

from ledger.postgres.database import Database
from projections import queries
from projections.queries import CallsAsked
from projections.rebuild import rebuild
from tests.projections.following import follow
from tests.scenarios.policies import LIVE_CALL
from tests.scenarios.steps import CREATOR, policy, purchase
from tests.scenarios.steps_products import at, call, meter, turn, verified
from tests.scenarios.write_path import WritePath

FIRST, LAST = date(2020, 1, 1), date(2090, 1, 1)
NAMES = ("started", "ended", "out_of_funds", "blocks", "seconds", "tokens", "paid", "earned")


def asked(stage: WritePath, party: Any = "", name: str = "", **more: Any) -> dict[str, Any]:
    """The question with the read models at the head."""
    follow(stage.fresh)
    question = CallsAsked(FIRST, LAST, more.pop("unit", "month"), party, name)
    page = {"after": date.min, "limit": 100, **more}
    with stage.fresh.connect(autocommit=True) as connection:
        found = queries.call_statistics(connection, question, **page)
    assert found["as_of_position"] == len(stage.rows())
    return found


def called(stage: WritePath) -> WritePath:
    """Ann talks for three minutes at 5 tokens a block; ben has 100 tokens, and a block costs 90."""
    stage.given(policy(LIVE_CALL), verified(), purchase("fifty", 500, "ann"))
    stage.given(purchase("hundred", 999, "ben"))
    stage.given(call(10, "call-a", "ann"))
    at(stage, 180).given(meter("call-a"), turn("end", "call-a"))
    stage.given(call(180, "call-b", "ben"))
    at(stage, 300).given(meter("call-b"))
    return stage


def test_calls_of_each_party_add_up(stage: WritePath, database: Database) -> None:
    called(stage)
    ann = asked(stage, "user", "ann")["totals"]
    assert tuple(ann[name] for name in NAMES) == (1, 1, 0, 6, 180, 30, 150, 150)
    assert (ann["minutes"], ann["seconds_per_call"]) == (3, 180)
    ben = asked(stage, "user", "ben")["totals"]
    assert tuple(ben[name] for name in NAMES) == (1, 1, 1, 1, 30, 90, 450, 450)
    whole = asked(stage)
    for name in NAMES:
        assert whole["totals"][name] == ann[name] + ben[name]
        assert sum(item[name] for item in whole["items"]) == whole["totals"][name]
    for rebuilt in rebuild(database, stage.book, ["call_statistics"]):
        assert (rebuilt.compared, rebuilt.differences) == (True, ())


def test_the_creator_has_the_calls_of_all_fans(stage: WritePath) -> None:
    called(stage)
    assert asked(stage, "creator", CREATOR)["totals"] == asked(stage)["totals"]
    nobody = asked(stage, "creator", "nobody")
    assert (nobody["items"], nobody["totals"]["started"], nobody["more"]) == ([], 0, False)
    assert nobody["totals"]["seconds_per_call"] is None
