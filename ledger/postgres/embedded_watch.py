"""Starts the embedded PostgreSQL again when it dies, so that `kill -9` of it heals by itself.

A thread sleeps on the postmaster's process descriptor: the kernel wakes it at the moment of
death, without polling. It must never stop a server, and it never outlives its `with` block.
"""

import os
import selectors
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from ledger import logs

log = logs.get_logger(__name__)
#: Between two attempts at a start that fails, and between looks where the kernel cannot tell.
_RETRY_S = 1.0


class Startable(Protocol):
    """What the watch needs to know of a server."""

    def postmaster_pid(self) -> int | None:
        """The running postmaster, or None."""

    def start(self) -> None:
        """Start it unless it runs."""


@contextmanager
def watched(server: Startable) -> Iterator[None]:
    """Keep the server running for the length of the block; a forked child leaves it be."""
    leave_read, leave_write = os.pipe()
    watcher = os.getpid()
    thread = threading.Thread(
        target=_watch, args=(server, leave_read), name="embedded-postgres-watch", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        if os.getpid() == watcher:
            os.close(leave_write)
            thread.join()
            os.close(leave_read)


def _watch(server: Startable, leave: int) -> None:
    while True:
        pid = server.postmaster_pid()
        if pid is not None:
            if _left_before_death(pid, leave):
                return
            continue
        try:
            server.start()
            log.warning("embedded PostgreSQL had died and was started again")
        except Exception:
            log.exception("embedded PostgreSQL does not start")
            if _wait(_RETRY_S, leave):
                return


def _left_before_death(pid: int, leave: int) -> bool:
    """Wait until the process dies (False) or the block is left (True)."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    except (AttributeError, OSError):  # no such call in this kernel: look again a little later
        return _wait(_RETRY_S, leave)
    try:
        return _wait(None, leave, process)
    finally:
        with suppress(OSError):
            os.close(process)


def _wait(timeout_s: float | None, leave: int, *others: int) -> bool:
    with selectors.DefaultSelector() as selector:
        for descriptor in (leave, *others):
            selector.register(descriptor, selectors.EVENT_READ)
        return any(key.fd == leave for key, _ in selector.select(timeout_s))
