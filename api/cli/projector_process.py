"""The projector process beside a serving process: a child that is started again when it dies.

It is a process of its own so that folding never takes the interpreter from the commands. Its
standard input is a pipe from the parent: however the parent ends, the child reads the end of it
and exits. Another pipe leads back, for heartbeats: a child that is silent for `SILENT_S` hangs,
whatever the reason, and is killed, which gives its locks to whoever projects next.
"""

import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ledger import logs
from ledger.postgres.database import Database

#: Between a death and the next start.
RESTART_S = 1.0
STOP_WITHIN_S = 15.0
#: For how long a child may give no sign of life; it gives one every two seconds.
SILENT_S = 10.0
#: How long it may take to start: until its first sign of life.
STARTS_WITHIN_S = 60.0

log = logs.get_logger(__name__)


class ProjectorProcess:
    """Keeps `python -m api project` running; `projector_process` makes one."""

    def __init__(self, where: Database) -> None:
        self._environment = os.environ | {
            "TOKENLEDGER_DATABASE_URL": where.service_url,
            "TOKENLEDGER_ADMIN_DATABASE_URL": where.admin_url,
        }
        self._stopping = threading.Event()
        self._child, self._signs = self._start()
        self._thread = threading.Thread(target=self._watch, name="projector-process", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """The process id of the child that runs now."""
        return self._child.pid

    def stop(self) -> None:
        """Let the child finish its page and end."""
        self._stopping.set()
        self._end()
        self._thread.join()

    def _start(self) -> tuple[subprocess.Popen[bytes], int]:
        """A child, and where its signs of life can be read."""
        signs, heartbeat = os.pipe()
        try:
            child = subprocess.Popen(
                [sys.executable, "-m", "api", "project", "--with-parent", str(heartbeat)],
                stdin=subprocess.PIPE,
                env=self._environment,
                pass_fds=(heartbeat,),
                start_new_session=True,  # a Ctrl-C is for the parent, which then stops the child
            )
        except BaseException:
            os.close(signs)
            raise
        finally:
            os.close(heartbeat)
        return child, signs

    def _watch(self) -> None:
        while True:
            self._listen()
            status = self._child.wait()
            os.close(self._signs)
            if self._stopping.is_set():
                return
            log.warning("projections died", status=status, restart_s=RESTART_S)
            if self._stopping.wait(RESTART_S):
                return
            self._child, self._signs = self._start()
            if self._stopping.is_set():  # it was started while stop() looked at its predecessor
                self._end()

    def _listen(self) -> None:
        """Until the child has ended; one that falls silent is killed."""
        patience_s = STARTS_WITHIN_S
        while _readable(self._signs, patience_s):
            if not os.read(self._signs, 4_096):
                return
            patience_s = SILENT_S
        log.error("projections hang", pid=self._child.pid, silent_s=patience_s)
        self._child.kill()

    def _end(self) -> None:
        child = self._child
        assert child.stdin is not None
        child.stdin.close()
        try:
            child.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            log.warning("projections do not stop", pid=child.pid)
            child.kill()
            child.wait()


def _readable(descriptor: int, timeout_s: float) -> bool:
    """Whether there is something to read, or the end of it, within a time."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(timeout_s * 1_000))


@contextmanager
def projector_process(where: Database) -> Iterator[ProjectorProcess]:
    """A child that keeps every book's projections up to date, as long as the block."""
    running = ProjectorProcess(where)
    try:
        yield running
    finally:
        running.stop()
