"""State machines: what their tables allow is consistent, and the page draws all of them."""

from enum import StrEnum
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import pytest

import domain
from api.http import state_diagrams
from domain.authorizations.authorization import PART
from domain.calls import call
from domain.command import COMMANDS
from domain.rejections import Rejection
from domain.subscriptions import subscription
from domain.transitions import EXPIRY, Transitions
from tests.domain.in_memory_book import InMemoryBook
from tests.scenarios import policies

TABLES: dict[str, Transitions[StrEnum]] = {
    module.name: import_module(module.name).TRANSITIONS
    for module in walk_packages(domain.__path__, "domain.")
    if "TRANSITIONS" in vars(import_module(module.name)) and not module.name.endswith(".commands")
}

every_machine = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)


def test_the_page_is_what_the_tables_say() -> None:
    same = state_diagrams.page() == state_diagrams.PAGE.read_text()
    assert same, "docs/state_machines.md is behind: python -m api.http.state_diagrams"


def test_the_page_draws_every_machine() -> None:
    assert {module.__name__ for module in state_diagrams.MACHINES.values()} == set(TABLES)


CALL = {"call": "c1"}
SUBSCRIPTION = {"subscription": "s1"}
PERIOD = {**SUBSCRIPTION, "period_start": "2026-10-01T00:00:00Z", "processor": "stripe"}
PERIOD_END = {"period_end": "2026-11-01T00:00:00Z", "price": 999}
DEAL = {"user": "ann", "creator": "carl"}
WALKS: dict[str, dict[str, dict[str, Any]]] = {
    "call:c1": {
        "start-call": {**CALL, **DEAL, "rate": 60},
        **dict.fromkeys(("pause-call", "resume-call", "meter-call", "end-call"), CALL),
    },
    "subscription:s1": {
        "start-subscription": {**SUBSCRIPTION, **DEAL, "price": 999},
        "charge-period": {**PERIOD, **PERIOD_END, "processor_ref": "paid"},
        "fail-period": {**PERIOD, "processor_ref": "failed"},
        "change-subscription": {
            **SUBSCRIPTION,
            "plan": "plus",
            "price": 999,
            "from_period": "2099-01-01T00:00:00Z",
        },
        **dict.fromkeys(("cancel-subscription", "lapse-subscription"), SUBSCRIPTION),
    },
}
"""What is walked, and the fields of every step."""
NOTICES = {"charge-period", "fail-period"}


def walked(key: str, way: tuple[str, ...]) -> InMemoryBook:
    """A book in which the steps of `way` were taken."""
    place = InMemoryBook(policies.LIVE_CALL if key == "call:c1" else policies.SUBSCRIPTION)
    if key == "call:c1":
        place.happens("verify-creator", creator="carl", verified=True)
        place.happens("grant-promo", user="ann", tokens=1_000, reason_code="X")
    for step in way:
        place.happens(step, **WALKS[key][step])
    return place


def ways(key: str, table: Transitions[StrEnum]) -> dict[StrEnum, tuple[str, ...]]:
    """A way to every status by commands alone, none of which is sent twice."""
    found: dict[StrEnum | None, tuple[str, ...]] = {None: ()}
    for (status, step), following in table.items():
        if status in found and step in WALKS[key] and following not in found:
            found[following] = (*found[status], step)
    return {status: way for status, way in found.items() if status is not None}


@pytest.mark.parametrize(
    ("key", "table"),
    [("call:c1", call.TRANSITIONS), ("subscription:s1", subscription.TRANSITIONS)],
    ids=["calls", "subscriptions"],
)
def test_commands_do_what_the_table_says_and_nothing_else(
    key: str, table: Transitions[StrEnum]
) -> None:
    reached = ways(key, table)
    assert set(reached) == set(table.values())
    for status, way in reached.items():
        for step, fields in WALKS[key].items():
            place = walked(key, way)
            decision = place.decide(step, **fields)
            allowed = (status, step) in table
            assert isinstance(decision, Rejection) == (not allowed and step not in NOTICES)
            if isinstance(decision, tuple):
                place.record(*decision)
            thing: Any = place.states[key]
            assert thing.status == table.get((status, step), status), (status, step)


@every_machine
def test_every_status_can_be_reached(table: Transitions[StrEnum]) -> None:
    statuses = type(next(iter(table.values())))
    reached: set[StrEnum | None] = {None}
    while more := {to for (status, _), to in table.items() if status in reached} - reached:
        reached |= more
    assert reached == {None, *statuses}


@every_machine
def test_every_step_is_a_command_or_a_cause_that_something_declares(
    table: Transitions[StrEnum],
) -> None:
    for _, step in table:
        assert isinstance(step, StrEnum) or step in {EXPIRY, PART} or step in COMMANDS
