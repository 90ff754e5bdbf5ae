"""Named points of the write path at which a test may kill or freeze the process.

Off unless the environment variable TOKENLEDGER_FAILPOINT says `point:SIGNAL[:nth]`, for example
`after_copy:SIGKILL:3`. That is how the promises about crashes are tested on the real thing.
"""

import os
import signal
import threading

_point, _, _rest = os.environ.get("TOKENLEDGER_FAILPOINT", "").partition(":")
_signal, _, _nth = _rest.partition(":")
_passes_left = int(_nth or 1)


def _off(point: str) -> None:
    """Do nothing: no failpoint is set."""


def _on(point: str) -> None:
    global _passes_left  # noqa: PLW0603
    if point != _point:
        return
    _passes_left -= 1
    if _passes_left == 0:
        # To this thread: another one would let it run on for a moment, past the point.
        signal.pthread_kill(threading.get_ident(), signal.Signals[_signal])


failpoint = _on if _point else _off
