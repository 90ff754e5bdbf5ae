"""Verification of the log: silent on a sound one, and every kind of damage is named and placed."""

import msgspec
import pytest

from ledger.verification.difference import Difference
from ledger.verification.log import verify_log
from ledger.verification.snapshots import verify_snapshots
from tests.ledger.verification.damage import damage
from tests.projections.following import written
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import Sent, events, policy, purchase, suspended
from tests.scenarios.write_path import WritePath

DEAL = {"user": "ann", "creator": "zoe", "price": 999}
TIP = "(SELECT max(position) FROM events WHERE type = 'tip.sent.v1')"

DAMAGE = [
    # (what is done, what is found, at the tip or elsewhere)
    ("UPDATE events SET data = convert_to(replace(convert_from(data, 'UTF8'), '\"gross\":250',"
     f" '\"gross\":251'), 'UTF8') WHERE position = {TIP}", {"leaf hash", "entry"}),
    (f"UPDATE events SET leaf_hash = sha256('x') WHERE position = {TIP}", {"leaf hash"}),
    (f"UPDATE events SET data = 'x' WHERE position = {TIP}", {"leaf hash", "entry",
     "receipt"}),
    (f"UPDATE events SET type = 'x' WHERE position = {TIP}", {"type"}),
    (f"UPDATE events SET event_id = '0{'1' * 31}' WHERE position = {TIP}", {"event_id"}),
    (f"UPDATE events SET event_id = '{'f' * 32}' WHERE position = {TIP}", {"event_id"}),
    (f"UPDATE events SET tags = '{{wallet:x}}' WHERE position = {TIP}", {"tags"}),
    (f"UPDATE events SET occurred_at = now() WHERE position = {TIP}", {"occurred_at"}),
    (f"UPDATE events SET recorded_at = recorded_at + interval '1us' WHERE position = {TIP}",
     {"recorded_at"}),
    (f"UPDATE events SET recorded_at = '2020-01-01' WHERE position = {TIP}", {"recorded_at"}),
    (f"DELETE FROM event_tags WHERE tag = 'wallet:dee' AND position = {TIP}", {"tag index"}),
    (f"INSERT INTO event_tags VALUES ('wallet:x', {TIP})", {"tag index"}),
    ("INSERT INTO event_tags VALUES ('wallet:x', 9999)", {"tag index"}),
    (f"DELETE FROM events WHERE position = {TIP}", {"position", "tag index", "receipt"}),
    ("DELETE FROM events WHERE position = (SELECT position FROM head)",
     {"head position", "head recorded_at", "position", "tag index", "receipt"}),
    ("UPDATE head SET position = position + 1", {"head position", "position"}),
    ("UPDATE head SET recorded_at = recorded_at + interval '1us'", {"head recorded_at"}),
    (f"UPDATE receipts SET fingerprint = '0123456789abcdef' WHERE position = {TIP}",
     {"receipt fingerprint"}),
    (f"UPDATE receipts SET position = 1 WHERE position = {TIP}", {"receipt"}),
    (f"UPDATE receipts SET key = '0123456789abcdef' WHERE position = {TIP}", {"receipt"}),
    (f"DELETE FROM receipts WHERE position = {TIP}", {"receipt"}),
    (f"UPDATE receipts SET events = 2 WHERE position = {TIP}", {"receipt"}),
]  # fmt: skip


def found(stage: WritePath) -> list[Difference]:
    """All differences in the log and its snapshots."""
    with stage.fresh.connect(autocommit=True) as connection:
        return [*verify_log(connection, stage.book), *verify_snapshots(connection)]


def test_a_sound_log_has_no_differences(stage: WritePath) -> None:
    assert found(stage) == []
    written(stage)
    assert found(stage) == []
    stage.close()  # writes snapshots
    assert found(stage) == []


@pytest.mark.parametrize(("statement", "kinds"), DAMAGE)
def test_damage_is_named(stage: WritePath, statement: str, kinds: set[str]) -> None:
    written(stage)
    stage.close()
    damage(stage.fresh, statement)
    differences = [d for d in found(stage) if d.what != "snapshot"]
    assert kinds <= {difference.what for difference in differences}
    assert all(difference.position is not None for difference in differences)


def test_damage_is_placed(stage: WritePath) -> None:
    written(stage)
    stage.close()
    damage(stage.fresh, "UPDATE events SET leaf_hash = sha256('x') WHERE position = 5")
    damage(stage.fresh, "UPDATE events SET type = 'x' WHERE position = 9")
    first, second = found(stage)
    assert (first.position, first.what) == (5, "leaf hash")
    assert (second.position, second.what, second.found) == (9, "type", "x")


def test_one_stored_amount_altered_with_its_hash_is_found(stage: WritePath) -> None:
    written(stage)
    stage.close()
    damage(
        stage.fresh,
        "UPDATE events SET data = d.data, leaf_hash = sha256('\\x00'::bytea || d.data)"
        " FROM (SELECT position, convert_to(replace(convert_from(data, 'UTF8'), '-80]', '-81]'),"
        " 'UTF8') AS data FROM events) d WHERE d.position = events.position"
        " AND events.data <> d.data",
    )
    differences = found(stage)
    assert any(
        difference.what == "entry" and "sum to" in difference.found for difference in differences
    )


def test_an_altered_snapshot_is_found(stage: WritePath) -> None:
    written(stage)
    stage.close()
    with stage.fresh.connect(autocommit=True) as connection:
        stored = connection.execute("SELECT entity, state FROM snapshots ORDER BY entity")
        snapshots = dict(stored.fetchall())
    assert {"wallet:ann", "wallet:ben"} <= set(snapshots)
    damage(
        stage.fresh,
        "UPDATE snapshots SET state = %s WHERE entity = 'wallet:ben'",
        [snapshots["wallet:ann"]],
    )
    damage(stage.fresh, "UPDATE snapshots SET state = 'x' WHERE entity = 'wallet:ann'")
    differences = found(stage)
    assert [difference.what for difference in differences] == ["snapshot", "snapshot"]
    assert "wallet:ann" in differences[0].expected
    assert "wallet:ben" in differences[1].expected
    damage(stage.fresh, "UPDATE snapshots SET fold_version = 0")
    assert found(stage) == []


def test_a_notice_applied_after_it_was_parked_is_sound(stage: WritePath) -> None:
    """Its receipt is the first answer for ever, given before there was an event."""
    offered = {"products_enabled": ["subscription"], "price_bounds": {}}
    stage.given(policy(MICRO_UNLOCK | offered))
    period = {"period_start": "2026-11-01T00:00:00Z", "period_end": "2026-12-01T00:00:00Z"}
    paid = {"price": 999, "processor": "stripe", "processor_ref": "p1"}
    charged = Sent("charge-period", {"subscription": "s1", **period, **paid})
    assert stage.send(charged).code == "AWAITING_REFERENT"
    assert found(stage) == []
    stage.given(Sent("start-subscription", {"subscription": "s1", **DEAL}))
    stage.then(events("subscription_period.charged.v1", 1))
    assert found(stage) == []
    stage.close()
    damage(stage.fresh, "UPDATE receipts SET fingerprint = '0123456789abcdef' WHERE events = 0")
    assert [difference.what for difference in found(stage)] == ["receipt fingerprint", "inbox"]
    damage(stage.fresh, "UPDATE receipts SET code = NULL WHERE events = 0")
    kinds = [difference.what for difference in found(stage)]
    assert kinds == ["receipt", "receipt body", "inbox", "inbox"]


def test_a_payment_that_two_people_release_is_dealt_with(stage: WritePath) -> None:
    document = {**MICRO_UNLOCK, "packages": {"small": {"tokens": 1000, "price": 999}}}
    document["second_person"] = {"release_payment_above": 0}
    release = Sent("release-payment", {"payment_ref": "ch-1", "resolution": "RETURN"})
    stage.given(policy(document)).when(
        purchase("small", 998, ref="ch-1"), release.by("finance", "ada")
    ).then(suspended("PRICE_MISMATCH"))
    proposal = stage.entries()[-1]
    assert proposal.type == "command.proposed.v1"
    approve = Sent("approve-proposal", {"proposal": msgspec.json.decode(proposal.body)["proposal"]})
    stage.when(approve.by("approver", "grace")).then(events("payment.released.v1", 1))
    assert found(stage) == []
