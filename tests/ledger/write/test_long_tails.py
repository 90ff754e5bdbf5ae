"""Work under the lock on the head is bounded: a long history without a snapshot stops nobody."""

import json
import time
from collections.abc import Iterator

import pytest

from domain.event import Event
from domain.wallets.wallet import Wallet
from ledger.verification.snapshots import verify_snapshots
from ledger.write import state_loading
from ledger.write.new_folds import write_snapshots
from ledger.write.state_loading import TAIL_MAX
from ledger.write.unavailable import Unavailable
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import FAN, Sent, grant, policy, purchase, tip, wallet
from tests.scenarios.write_path import WritePath
from tests.support.waiting import until_available

LONG = 3 * TAIL_MAX


@pytest.fixture(autouse=True)
def _long(stage: WritePath) -> None:
    """A fan with a long history and a neighbour with a short one; nothing is in memory."""
    stage.given(policy(MICRO_UNLOCK), grant(9, user="neighbour"))
    granted = [stage.request(grant(1, user=FAN)) for _ in range(20)]
    stage.writer.write(granted)
    for _ in range(LONG // TAIL_MAX):
        stage.writer.write([stage.request(grant(1)) for _ in range(TAIL_MAX)])
    forget(stage)


def forget(stage: WritePath) -> None:
    """No state is in memory, and there are no snapshots."""
    stage.restart()
    with stage.fresh.connect(autocommit=True) as connection:
        connection.execute("DELETE FROM snapshots")


def snapshots(stage: WritePath) -> dict[str, int]:
    """The positions of the snapshots there are."""
    with stage.fresh.connect() as connection:
        return dict(connection.execute("SELECT entity, position FROM snapshots").fetchall())


@pytest.fixture
def _slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A wallet's event takes 2 ms to fold: the long history six seconds."""
    fold = Wallet.apply

    def slow(self: Wallet, key: str, event: Event) -> Wallet:
        time.sleep(0.002)
        return fold(self, key, event)

    with monkeypatch.context() as patched:
        patched.setattr(Wallet, "apply", slow)
        yield


@pytest.mark.usefixtures("_slow")
def test_neighbours_are_answered_while_a_long_history_is_prepared(stage: WritePath) -> None:
    long = stage.request(tip(5))
    with pytest.raises(Unavailable, match=f"wallet:{FAN} is being prepared"):
        stage.writer.write([long])
    slowest = 0.0
    for _ in range(9):
        began = time.monotonic()
        assert stage.send(tip(1, user="neighbour", creator="zoe")).status == 201
        slowest = max(slowest, time.monotonic() - began)
    assert slowest < 2, "it waited for the long one"
    answers = until_available(lambda: stage.writer.write([long]), timeout_s=60)
    assert [answer.status for answer in answers] == [201]
    assert snapshots(stage)[f"wallet:{FAN}"] > LONG


def test_neighbours_in_the_same_group_are_written_and_the_long_one_may_be_sent_again(
    stage: WritePath,
) -> None:
    requests = [
        stage.request(each) for each in (tip(1, user="neighbour"), tip(5), tip(2, user="neighbour"))
    ]
    answers = stage.writer.write(requests)
    assert [answer.status for answer in answers] == [201, 503, 201]
    assert answers[1].code == "UNAVAILABLE"
    (again,) = until_available(lambda: stage.writer.write(requests[1:2]))
    assert again.status == 201
    assert not again.replayed
    stage.then(wallet(20 + LONG - 5), wallet(6, user="neighbour"))


def test_an_atomic_group_waits_as_a_whole(stage: WritePath) -> None:
    requests = [stage.request(each) for each in (tip(1, user="neighbour"), tip(5))]
    with pytest.raises(Unavailable):
        stage.writer.write(requests, atomic=True)
    answers = until_available(lambda: stage.writer.write(requests, atomic=True))
    assert [answer.status for answer in answers] == [201, 201]


def test_a_purchase_of_somebody_with_a_long_history_is_refunded(stage: WritePath) -> None:
    """What its tokens paid is a view of the whole wallet: its snapshots can be read again."""
    bought = stage.request(purchase("small", price=999, ref="p1"))
    (answer,) = until_available(lambda: stage.writer.write([bought]))
    purchase_id = json.loads(answer.body)["events"][0]["body"]["purchase_id"]
    spent = [stage.request(tip(each)) for each in (20 + LONG + 100 + 30, *(1,) * 20)]
    assert {one.status for one in stage.writer.write(spent)} == {201}
    refund = stage.request(
        Sent("refund-purchase", {"purchase": purchase_id, "reason_code": "ASKED"})
    )
    (answer,) = until_available(lambda: stage.writer.write([refund]), timeout_s=30)
    assert (answer.status, answer.code) == (201, None)
    assert snapshots(stage)[f"trail:{FAN}:{purchase_id}"] > LONG
    stage.then(wallet(0))
    stage.close()
    with stage.fresh.connect(autocommit=True) as connection:
        assert list(verify_snapshots(connection)) == []


def test_too_much_for_one_batch_is_loaded_in_parts(
    stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a new fold version: every history is short, and together they are long."""
    fans = [f"fan-{n}" for n in range(40)]
    for _ in range(5):
        stage.writer.write([stage.request(grant(1, user=fan)) for fan in fans])
    forget(stage)
    monkeypatch.setattr("ledger.write.sequencer.LOADED_MAX", 50)
    monkeypatch.setattr("ledger.write.state_loading.LOADED_MAX", 50)
    answers = stage.writer.write([stage.request(tip(1, user=fan)) for fan in fans])
    assert {answer.status for answer in answers} == {201}


def test_a_new_release_finds_its_snapshots_and_the_one_before_keeps_its_own(
    stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stage.fresh.connect(autocommit=True) as connection:
        list(write_snapshots(connection))
        monkeypatch.setattr(Wallet, "FOLD_VERSION", Wallet.FOLD_VERSION + 1)
        monkeypatch.setitem(state_loading._VERSIONS, "wallet", str(Wallet.FOLD_VERSION))
        assert list(write_snapshots(connection))[-1] > 2
        found = connection.execute(
            "SELECT fold_version, position FROM snapshots WHERE entity = %s ORDER BY 1",
            [f"wallet:{FAN}"],
        ).fetchall()
        assert list(verify_snapshots(connection)) == []
    assert [version for version, _ in found] == [Wallet.FOLD_VERSION - 1, Wallet.FOLD_VERSION]
    assert len({position for _, position in found}) == 1
    assert stage.send(tip(5)).status == 201
