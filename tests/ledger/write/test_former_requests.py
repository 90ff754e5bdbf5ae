"""Requests whose fields a command has no more get the answer that they got then, or are refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from domain.command import FORMER
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import Sent, policy
from tests.scenarios.write_path import WritePath

REQUESTS = json.loads((Path(__file__).parents[2] / "golden" / "requests.json").read_text())
#: Keys and fingerprints as the release before lines had references computed them.
KNOWN = [one for one in REQUESTS if {"payment_ref", "lines"} & set(one["fields"])]
KNOWN = [one for one in KNOWN if one["command"] in FORMER]


def sent(known: dict[str, Any], **fields: Any) -> Sent:
    """The request, once more."""
    key = known["idempotency_key"]
    return Sent(known["command"], {**known["fields"], **fields}, "finance", "fay", key=key)


def answered(stage: WritePath, known: dict[str, Any]) -> bytes:
    """A receipt as that release left it: what another request was answered, under this key."""
    other = Sent("close-period", {"period": "2020-01"}, "finance", "fay", key="other")
    body = stage.send(other).body
    with stage.fresh.connect_admin(autocommit=True) as admin:
        found = [bytes.fromhex(known["key"]), bytes.fromhex(known["fingerprint"])]
        admin.execute(
            "INSERT INTO receipts (key, fingerprint, position, events, status, code, body) "
            "SELECT %s, %s, position, events, status, code, body FROM receipts",
            found,
        )
    return body


@pytest.mark.parametrize("known", KNOWN, ids=lambda one: one["idempotency_key"])
def test_a_former_request_gets_its_answer_again(stage: WritePath, known: dict[str, Any]) -> None:
    assert {one["command"] for one in KNOWN} == set(FORMER)
    body = answered(stage, known)
    log = stage.rows()
    stage.restart()
    again = stage.send(sent(known))
    assert (again.status, again.body, again.replayed) == (201, body, True)
    other = stage.send(sent(known, occurred_at="2026-01-01T00:00:00Z"))
    assert (other.status, other.code) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert stage.rows() == log


@pytest.mark.parametrize("known", KNOWN, ids=lambda one: one["idempotency_key"])
def test_a_former_request_that_nobody_answered_is_malformed(
    stage: WritePath, known: dict[str, Any]
) -> None:
    stage.given(policy(MICRO_UNLOCK))
    log = stage.rows()
    for _ in range(2):
        outcome = stage.send(sent(known))
        assert (outcome.status, outcome.code, outcome.replayed) == (400, "INVALID_REQUEST", False)
        assert any(error["pointer"] for error in outcome.json["errors"])
    assert stage.rows() == log
    with stage.fresh.connect() as connection:
        ((receipts,),) = connection.execute("SELECT count(*) FROM receipts")
        assert receipts == len(log)
