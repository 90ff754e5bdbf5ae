"""Texts beside the log: written with the command that brings them or not at all, and erased."""

from typing import Any

import pytest

from domain.texts import sealed
from ledger.write.answer import Answer
from tests.scenarios.platform import Platform
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import Sent, policy, tip
from tests.scenarios.steps_finance import FAY, adjustment

STORY = "He rang twice; nobody answered."


@pytest.fixture
def platform(platform: Platform) -> Platform:
    return platform.given(policy(MICRO_UNLOCK))


def rows(platform: Platform) -> list[tuple[Any, ...]]:
    """Everything that is kept."""
    with platform.fresh.connect() as connection:
        return connection.execute("SELECT event_id, field, salt, text FROM texts").fetchall()


def all_or_none(platform: Platform, *sent: Sent) -> list[Answer]:
    """Commands of one atomic batch."""
    return platform.writer.write([platform.request(each) for each in sent], atomic=True)


def test_the_log_holds_the_hash_of_a_text_and_not_the_text(platform: Platform) -> None:
    platform.given(adjustment(100, evidence=STORY))
    ((event_id, field, salt, text),) = rows(platform)
    *_, (_, data) = platform.rows()
    *_, entry = platform.entries()
    assert (str(event_id), field, text) == (entry.event_id, "evidence", STORY)
    assert (sealed(salt, STORY) or "").encode() in data
    assert STORY.encode() not in data and salt.encode() not in data


def test_each_text_has_salt_of_its_own(platform: Platform) -> None:
    platform.given(adjustment(100, evidence=STORY), adjustment(100, evidence=STORY))
    first, second = rows(platform)
    assert first[2] != second[2]


def test_a_replay_keeps_it_once(platform: Platform) -> None:
    sent = adjustment(100, evidence=STORY).but(key="k1")
    platform.given(sent).when(sent)
    assert platform.outcomes[0].replayed
    assert len(rows(platform)) == 1


def test_what_is_refused_leaves_no_text(platform: Platform) -> None:
    legs = [["bank", "USD", 2], ["suspense", "USD", -1]]
    sent = adjustment(1, evidence=STORY)
    platform.when(Sent("propose-adjustment", {**sent.fields, "postings": legs}, *FAY))
    assert platform.outcomes[0].code == "UNBALANCED"
    assert rows(platform) == []


def test_an_aborted_batch_leaves_no_text(platform: Platform) -> None:
    answers = all_or_none(platform, adjustment(1, evidence=STORY), tip(10))
    assert [answer.status for answer in answers] == [409, 402]
    assert rows(platform) == []


def test_an_erasure_that_is_rolled_back_erases_nothing(platform: Platform) -> None:
    erase = Sent("erase-subject", {"subject": "creator", "kind": "creator"}, "admin", "root")
    platform.given(adjustment(1, evidence=STORY))
    all_or_none(platform, erase, tip(10))
    assert len(rows(platform)) == 1
    platform.given(erase)
    assert rows(platform) == []


def test_others_texts_stay(platform: Platform) -> None:
    legs = [["exp.goodwill", "USD", 5], ["cr.other.available", "USD", -5]]
    mine = adjustment(1, evidence=STORY)
    platform.given(
        mine, Sent("propose-adjustment", {**mine.fields, "postings": legs, "evidence": "x"}, *FAY)
    )
    erase = Sent("erase-subject", {"subject": "creator", "kind": "creator"}, "admin", "root")
    platform.given(erase)
    assert [text for *_, text in rows(platform)] == ["x"]


def test_a_text_cannot_be_guessed_by_the_fingerprint_of_its_request(platform: Platform) -> None:
    first, same, other = (
        platform.request(adjustment(1, evidence=STORY).but(key=key)) for key in ("a", "a", "b")
    )
    assert first.fingerprint == same.fingerprint != other.fingerprint


def test_another_text_under_the_same_key_is_another_request(platform: Platform) -> None:
    platform.given(adjustment(1, evidence=STORY).but(key="a"))
    platform.when(adjustment(1, evidence="It was somebody else.").but(key="a"))
    assert platform.outcomes[0].code == "IDEMPOTENCY_KEY_REUSED"
    assert len(rows(platform)) == 1
