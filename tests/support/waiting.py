"""Waiting for what another process does and gives no signal of."""

import time
from collections.abc import Callable

from ledger.write.answer import Answer
from ledger.write.unavailable import Unavailable

TIMEOUT_S = 60.0


def until(reached: Callable[[], object], what: str, *, timeout_s: float = TIMEOUT_S) -> None:
    """Look again and again until it is so; fails the test with `what` did not come."""
    give_up_at = time.monotonic() + timeout_s
    while not reached():
        assert time.monotonic() < give_up_at, f"waited {timeout_s} s in vain for {what}"
        time.sleep(0.005)


def until_available(attempt: Callable[[], list[Answer]], timeout_s: float = 10) -> list[Answer]:
    """What `attempt` answers once it is not unavailable any more."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return attempt()
        except Unavailable:
            assert time.monotonic() < deadline, "still unavailable"
            time.sleep(0.05)
