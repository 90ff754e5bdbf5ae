"""The clients in a storm: each insists on an answer, and notes how long it waited."""

import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import httpx

from ledger.api_keys import Role, create_key
from ledger.postgres.database import connect
from tests.conftest import FreshBook
from tests.faults.commands import command
from tests.support.service import Service

THREADS = 8
PAUSE_S = 0.1
ATTEMPT_MAX_S = 30.0
#: What a client may get; 503 says that the outcome is unknown or that nothing was written, 202 that
#: a purchase waits in suspense because its buyer has as many lots as a wallet may have.
EXPECTED = {200, 201, 202, 402, 409, 422, 503}


@dataclass
class Seen:
    """What the clients saw."""

    answers: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    cut_off: int = 0
    strange: list[str] = field(default_factory=list)
    longest_s: float = 0.0
    longest: str = ""


class Target:
    """One service, and when it could not be expected to answer."""

    def __init__(self, service: Service) -> None:
        self.service = service
        #: Moments at which it was hit or healed: an attempt that spans one proves nothing.
        self.hits = 0
        self.well = True
        #: One fault at a time.
        self.suffering = threading.Lock()


class Storm:
    """Clients in threads in front of two targets."""

    def __init__(self, fresh: FreshBook, targets: list[Target]) -> None:
        self.seen = Seen()
        self._path = f"/v1/books/{fresh.book.name}/commands/"
        self._targets = targets
        with connect(fresh.admin_url, autocommit=True) as admin:
            key = create_key(admin, fresh.book.name, role=Role.SERVICE, actor="storm").key
        self._headers = {"Authorization": f"Bearer {key}"}
        limits = httpx.Limits(max_connections=4 * THREADS)
        self._http = httpx.Client(timeout=ATTEMPT_MAX_S, limits=limits)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._abandoned = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(THREADS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let every client have its last answer."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def abandon(self) -> None:
        """Let every client give up: nobody answers any more."""
        self._abandoned.set()
        self.stop()

    def goes_on(self, within_s: float) -> float:
        """Wait until every client got further answers; answers seconds; raises TimeoutError."""
        began, wanted = time.monotonic(), len(self.seen.answers) + 3 * THREADS
        while len(self.seen.answers) < wanted:
            if time.monotonic() - began > within_s:
                raise TimeoutError(f"no answers for {within_s} s")
            time.sleep(0.02)
        return time.monotonic() - began

    def send(self, number: int, target: Target) -> tuple[int, bytes] | None:
        """One attempt; None if it did not tell what became of it."""
        what, fields, key = command(number)
        hits, well, began = target.hits, target.well, time.monotonic()
        headers = {**self._headers, "Idempotency-Key": key}
        status, body = 0, b""
        with suppress(httpx.TransportError):
            url = target.service.address + self._path + what
            reply = self._http.post(url, json=fields, headers=headers)
            status, body = reply.status_code, reply.content
        took_s = time.monotonic() - began
        calm = well and hits == target.hits
        self._note(number, status, body, took_s, calm=calm)
        return None if status in {0, 503} else (status, body)

    def _note(self, number: int, status: int, body: bytes, took_s: float, *, calm: bool) -> None:
        with self._lock:
            self.seen.statuses[status] += 1
            if status == 0:
                self.seen.cut_off += 1
                if calm:
                    self.seen.strange.append(f"{number}: cut off without a reason, {took_s:.1f} s")
            elif status not in EXPECTED or (status == 202 and b"LIMIT_REACHED" not in body):
                self.seen.strange.append(f"{number}: {status} {body[:300]!r}")
            if calm and took_s > self.seen.longest_s:
                self.seen.longest_s, self.seen.longest = took_s, f"{number}: {status}"

    def _run(self, number: int) -> None:
        while not self._stop.is_set():
            attempt = number
            while True:
                told = self.send(number, self._targets[attempt % 2])
                if told is not None:
                    break
                if self._abandoned.is_set():
                    return
                attempt += 1
                time.sleep(0.05)
            with self._lock:
                self.seen.answers[number] = told
            number += THREADS
            time.sleep(PAUSE_S)
