"""A process is killed or frozen at the worst points; the other one goes on within seconds."""

import os
import signal

import pytest

from tests.faults.conftest import SOON_S, Pair, until

POINTS = ("inside_copy", "after_copy", "after_commit")


@pytest.mark.parametrize("point", POINTS)
def test_a_process_is_killed(pair: Pair, point: str) -> None:
    pair.b.start()
    pair.a.start(f"{point}:SIGKILL:20")
    until(pair.a.ended, timeout_s=20, what="the failpoint")
    pair.b.goes_on(within_s=SOON_S)
    pair.a.start()
    pair.go_on()
    pair.stop()
    pair.examine()


@pytest.mark.parametrize("point", POINTS)
def test_a_process_is_frozen_and_thaws(pair: Pair, point: str) -> None:
    pair.b.start()
    pair.a.start(f"{point}:SIGSTOP:20")
    until(lambda: pair.a.frozen, timeout_s=20, what="the failpoint")
    pair.b.goes_on(within_s=SOON_S)
    os.kill(pair.a.pid, signal.SIGCONT)
    pair.go_on()
    pair.stop()
    pair.examine()


def test_both_are_killed_at_once_again_and_again(pair: Pair) -> None:
    for _ in range(3):
        pair.a.start()
        pair.b.start()
        pair.go_on()
        pair.a.kill()
        pair.b.kill()
    pair.a.start()
    pair.b.start()
    pair.go_on()
    pair.stop()
    pair.examine()
