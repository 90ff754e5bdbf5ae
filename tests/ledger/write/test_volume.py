"""No sum of a book leaves 64 bits: what would take it there is refused before it is booked."""

import pytest

from domain.money import AMOUNT_MAX
from ledger.write.volume import NOTICES_VOLUME_MAX, VOLUME_MAX
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import Sent, freeze, grant, policy, purchase, tip
from tests.scenarios.write_path import WritePath


@pytest.fixture(autouse=True)
def _funded(stage: WritePath) -> None:
    stage.given(policy(MICRO_UNLOCK), purchase("small", price=999))


def volume(stage: WritePath) -> int:
    with stage.fresh.connect() as connection:
        row = connection.execute("SELECT volume FROM head").fetchone()
    assert row is not None
    return int(row[0])


def posted(stage: WritePath, volume: int) -> None:
    """Let so much have been posted."""
    with stage.fresh.connect_admin(autocommit=True) as admin:
        admin.execute("UPDATE head SET volume = %s", [volume])


def statuses(stage: WritePath, *sent: Sent, atomic: bool = False) -> list[int]:
    requests = [stage.request(each) for each in sent]
    return [answer.status for answer in stage.writer.write(requests, atomic=atomic)]


def test_the_head_knows_all_that_was_ever_posted(stage: WritePath) -> None:
    stage.given(tip(20), grant(5), freeze("fan", "wallet", "SPEND"))
    debits = [leg[2] for entry in stage.entries() for leg in entry.postings if leg[2] > 0]
    assert volume(stage) == sum(debits)


def test_what_would_leave_64_bits_is_refused_alone(stage: WritePath) -> None:
    posted(stage, VOLUME_MAX - 100)
    assert statuses(stage, grant(40), grant(AMOUNT_MAX), grant(60), grant(1)) == [
        201, 422, 201, 422,
    ]  # fmt: skip
    stage.when(grant(1))
    assert stage.outcomes[0].code == "INVALID_AMOUNT"
    assert volume(stage) == VOLUME_MAX
    stage.given(freeze("fan", "wallet", "SPEND"))  # what posts nothing goes on
    stage.check()


def test_a_group_that_would_is_refused_whole(stage: WritePath) -> None:
    posted(stage, VOLUME_MAX - 100)
    assert statuses(stage, grant(40), grant(61), atomic=True) == [409, 422]
    assert volume(stage) == VOLUME_MAX - 100
    assert statuses(stage, grant(40), grant(60), atomic=True) == [201, 201]


def test_notices_are_facts_and_go_on_until_nothing_more_can_be_booked(stage: WritePath) -> None:
    posted(stage, VOLUME_MAX)
    bought = purchase("small", price=999)
    stage.given(bought)
    posted(stage, NOTICES_VOLUME_MAX - 1)
    stage.when(purchase("small", price=999))
    assert (stage.outcomes[0].status, stage.outcomes[0].code) == (422, "INVALID_AMOUNT")
    stage.when(bought)
    assert stage.outcomes[0].status == 201  # what was answered stays answered
    stage.check()
