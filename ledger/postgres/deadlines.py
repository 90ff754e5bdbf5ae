"""Deadlines on the database: a connection that has not answered in time is cut.

A server that is stopped, or whose disk does not answer, leaves its connections open: neither its
own timeouts nor those of TCP end the wait. So one thread of each process watches over all waits,
and shuts down the socket of one that is over its time. Whoever waits then learns that the
connection is lost, as `psycopg.OperationalError`.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg.rows import TupleRow

from ledger import logs

#: How often the watch looks, and after how long without any wait it sleeps until there is one.
LOOK_EVERY_S = 0.25
SLEEP_AFTER_S = 5.0

Connection = psycopg.Connection[TupleRow]

log = logs.get_logger(__name__)


class _Watch:
    """All waits of this process."""

    def __init__(self) -> None:
        self._waits: dict[object, tuple[float, Connection]] = {}
        self._wake = threading.Condition()
        self._asleep = True
        self._thread: threading.Thread | None = None

    def begin(self, connection: Connection, seconds: float) -> object:
        wait = object()
        with self._wake:
            self._waits[wait] = time.monotonic() + seconds, connection
            if self._asleep:
                self._wake_up()
        return wait

    def end(self, wait: object) -> None:
        with self._wake:
            self._waits.pop(wait, None)

    def _wake_up(self) -> None:
        self._asleep = False
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
            self._thread.start()
        else:
            self._wake.notify()

    def _run(self) -> None:
        last = time.monotonic()
        while True:
            with self._wake:
                now = time.monotonic()
                if self._waits:
                    last = now
                elif now - last > SLEEP_AFTER_S:
                    self._asleep = True
                    while self._asleep:
                        self._wake.wait()
                over = [wait for wait, (end, _) in self._waits.items() if end <= now]
                for wait in over:
                    _cut(self._waits.pop(wait)[1])
            time.sleep(LOOK_EVERY_S)


def _cut(connection: Connection) -> None:
    """Shut down the socket; whoever waits for it wakes up. The connection is its owner's to close.

    The waits' lock is held, so the owner is still within its block.
    """
    log.error("the database did not answer in time; the connection is cut")
    with (
        suppress(psycopg.Error, OSError),
        socket.socket(fileno=os.dup(connection.pgconn.socket)) as same,
    ):
        same.shutdown(socket.SHUT_RDWR)


_watch = _Watch()


@contextmanager
def within(connection: Connection, seconds: float) -> Iterator[None]:
    """Cut `connection` if the block takes longer than that."""
    wait = _watch.begin(connection, seconds)
    try:
        yield
    finally:
        _watch.end(wait)
