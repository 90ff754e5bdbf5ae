"""Texts beside the log: written with the command that brings them or not at all, and erased."""

from typing import Any

import pytest

from domain.texts import sealed
from ledger.write.answer import Answer
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import Sent, policy, tip
from tests.scenarios.steps_finance import FAY, adjustment
from tests.scenarios.write_path import WritePath

STORY = "He rang twice; nobody answered."


@pytest.fixture
def stage(stage: WritePath) -> WritePath:
    return stage.given(policy(MICRO_UNLOCK))


def rows(stage: WritePath) -> list[tuple[Any, ...]]:
    """Everything that is kept."""
    with stage.fresh.connect() as connection:
        return connection.execute("SELECT event_id, field, salt, text FROM texts").fetchall()


def all_or_none(stage: WritePath, *sent: Sent) -> list[Answer]:
    """Commands of one atomic batch."""
    return stage.writer.write([stage.request(each) for each in sent], atomic=True)


def test_the_log_holds_the_hash_of_a_text_and_not_the_text(stage: WritePath) -> None:
    stage.given(adjustment(100, evidence=STORY))
    ((event_id, field, salt, text),) = rows(stage)
    *_, (_, data) = stage.rows()
    *_, entry = stage.entries()
    assert (str(event_id), field, text) == (entry.event_id, "evidence", STORY)
    assert (sealed(salt, STORY) or "").encode() in data
    assert STORY.encode() not in data and salt.encode() not in data


def test_each_text_has_salt_of_its_own(stage: WritePath) -> None:
    stage.given(adjustment(100, evidence=STORY), adjustment(100, evidence=STORY))
    first, second = rows(stage)
    assert first[2] != second[2]


def test_a_replay_keeps_it_once(stage: WritePath) -> None:
    sent = adjustment(100, evidence=STORY).but(key="k1")
    stage.given(sent).when(sent)
    assert stage.outcomes[0].replayed
    assert len(rows(stage)) == 1


def test_what_is_refused_leaves_no_text(stage: WritePath) -> None:
    legs = [["bank", "USD", 2], ["suspense", "USD", -1]]
    sent = adjustment(1, evidence=STORY)
    stage.when(Sent("propose-adjustment", {**sent.fields, "postings": legs}, *FAY))
    assert stage.outcomes[0].code == "UNBALANCED"
    assert rows(stage) == []


def test_an_aborted_batch_leaves_no_text(stage: WritePath) -> None:
    answers = all_or_none(stage, adjustment(1, evidence=STORY), tip(10))
    assert [answer.status for answer in answers] == [409, 402]
    assert rows(stage) == []


def test_an_erasure_that_is_rolled_back_erases_nothing(stage: WritePath) -> None:
    erase = Sent("erase-subject", {"subject": "creator", "kind": "creator"}, "admin", "root")
    stage.given(adjustment(1, evidence=STORY))
    all_or_none(stage, erase, tip(10))
    assert len(rows(stage)) == 1
    stage.given(erase)
    assert rows(stage) == []


def test_others_texts_stay(stage: WritePath) -> None:
    legs = [["exp.goodwill", "USD", 5], ["cr.other.available", "USD", -5]]
    mine = adjustment(1, evidence=STORY)
    stage.given(
        mine, Sent("propose-adjustment", {**mine.fields, "postings": legs, "evidence": "x"}, *FAY)
    )
    erase = Sent("erase-subject", {"subject": "creator", "kind": "creator"}, "admin", "root")
    stage.given(erase)
    assert [text for *_, text in rows(stage)] == ["x"]


def test_a_text_cannot_be_guessed_by_the_fingerprint_of_its_request(stage: WritePath) -> None:
    first, same, other = (
        stage.request(adjustment(1, evidence=STORY).but(key=key)) for key in ("a", "a", "b")
    )
    assert first.fingerprint == same.fingerprint != other.fingerprint


def test_another_text_under_the_same_key_is_another_request(stage: WritePath) -> None:
    stage.given(adjustment(1, evidence=STORY).but(key="a"))
    stage.when(adjustment(1, evidence="It was somebody else.").but(key="a"))
    assert stage.outcomes[0].code == "IDEMPOTENCY_KEY_REUSED"
    assert len(rows(stage)) == 1
