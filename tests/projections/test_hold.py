"""Who holds a checkpoint still, and is frozen, stops no read model for long."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from ledger.postgres import database
from projections.engine.hold import held
from projections.engine.runner import Runner
from projections.models.earnings import Earnings
from projections.models.wallets import Wallets
from projections.verify import verify
from tests.projections.following import follow, written
from tests.scenarios.steps import tip
from tests.scenarios.write_path import WritePath
from tests.support.waiting import until

IDLE_S = 1.0
WORK = f"""
import sys
from ledger.books import get_book
from ledger.postgres import database
database.IDLE_IN_TRANSACTION_S = {IDLE_S}
from projections.rebuild import rebuild
from projections.verify import verify
what, url, name = sys.argv[1:]
with database.connect(url) as connection:
    book = get_book(connection, name)
if what == "verify":
    verify(url, book)
else:
    rebuild(database.external(url, url), book, ["wallets"])
"""


@contextmanager
def frozen_while_holding(stage: WritePath, what: str) -> Iterator[None]:
    """A process that was stopped when it held the first checkpoint."""
    command = [sys.executable, "-c", WORK, what, stage.fresh.service_url, stage.book.name]
    failpoint = {"TOKENLEDGER_FAILPOINT": "checkpoint_held:SIGSTOP"}
    process = subprocess.Popen(command, env=os.environ | failpoint, stderr=subprocess.DEVNULL)
    try:
        stopped = psutil.Process(process.pid)
        until(lambda: stopped.status() == psutil.STATUS_STOPPED, "its stop", timeout_s=30)
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)


@pytest.mark.parametrize("what", ["verify", "rebuild"])
def test_a_frozen_holder_loses_the_checkpoint(stage: WritePath, what: str) -> None:
    written(stage)
    follow(stage.fresh)
    with stage.fresh.connect(autocommit=True) as connection:
        runner = Runner(connection, [Wallets(), Earnings()])
        runner.take_over()
        with frozen_while_holding(stage, what):
            stage.given(tip(1, "ben", "cora"))
            runner.step()
            wallets, earnings = runner.followers
            assert wallets.position < earnings.position == len(stage.rows())

            def caught_up() -> bool:
                runner.step()
                return wallets.position == earnings.position

            until(caught_up, "the checkpoint", timeout_s=20)
        connection.execute("SELECT pg_advisory_unlock_all()")
    follow(stage.fresh)
    assert verify(stage.fresh.service_url, stage.book).sound


def test_a_holder_that_works_elsewhere_keeps_it(
    stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "IDLE_IN_TRANSACTION_S", 0.5)
    follow(written(stage).fresh, [Wallets()])
    with (
        stage.fresh.connect(autocommit=True) as holder,
        stage.fresh.connect(autocommit=True) as elsewhere,
    ):
        with held(holder, "wallets") as position:
            elsewhere.execute("SELECT pg_sleep(1.5)")
        assert position == len(stage.rows())
