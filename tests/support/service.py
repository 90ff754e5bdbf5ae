"""`tokenledger serve` as a process of its own, and clients that speak HTTP to one or several.

A client that gets no answer, or is told that the service is unavailable, asks the next service
with the same idempotency key, as clients of the real thing should.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx
import psutil

from ledger.api_keys import Role, create_key
from ledger.books import Book
from ledger.postgres.database import connect

ROOT = Path(__file__).parents[2]
PATIENCE_S = 1.5


class Service:
    """One `serve` process on a free port, without projections."""

    def __init__(self, service_url: str, admin_url: str) -> None:
        self.address = ""
        self._environment = {
            **os.environ,
            "TOKENLEDGER_DATABASE_URL": service_url,
            "TOKENLEDGER_ADMIN_DATABASE_URL": admin_url,
        }
        self._running: subprocess.Popen[bytes] | None = None

    def start(self, failpoint: str = "") -> "Service":
        """Start it, to be hit at a failpoint if one is named; answers when it listens."""
        with tempfile.NamedTemporaryFile("r") as said, Path(said.name).open("w") as says:
            self._running = subprocess.Popen(
                [sys.executable, "-m", "api", "serve", "--port", "0", "--no-project"],
                cwd=ROOT,
                env={**self._environment, "TOKENLEDGER_FAILPOINT": failpoint},
                stdout=subprocess.DEVNULL,
                stderr=says,
            )
            self.address = self._listens(said)
        return self

    def _listens(self, said: IO[str]) -> str:
        """The address that it says it listens on."""
        everything = ""
        for _ in range(1_000):
            everything += said.read()
            found = re.search(r"serving on (http://[^,\s]+),", everything)
            if found:
                return found[1]
            assert not self.ended(), everything
            threading.Event().wait(0.02)
        raise AssertionError(f"the service does not start: {everything}")

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._running is not None
        return self._running.pid

    @property
    def frozen(self) -> bool:
        """Whether SIGSTOP has stopped it."""
        return psutil.Process(self.pid).status() == psutil.STATUS_STOPPED

    def ended(self) -> bool:
        """Whether it is no more."""
        return self._running is None or self._running.poll() is not None

    def stop(self) -> None:
        """Let it finish what is in flight."""
        if self._running is not None and not self.ended():
            self._running.send_signal(signal.SIGCONT)
            self._running.terminate()
            assert self._running.wait(timeout=30) == 0

    def kill(self) -> None:
        """End it whatever it does."""
        if self._running is not None and not self.ended():
            self._running.kill()
            self._running.wait()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a client got for a command."""

    status: int
    body: bytes
    replayed: bool


class Client:
    """Somebody with a key of one book, by default a backend, in front of several services."""

    def __init__(
        self,
        services: Sequence[Service],
        book: Book,
        admin_url: str,
        *,
        role: str = "service",
        actor: str = "backend",
        client: str | None = None,
    ) -> None:
        self._services = services
        with connect(admin_url, autocommit=True) as admin:
            made = create_key(admin, book.name, role=Role(role), actor=actor, client=client)
        self._headers = {"Authorization": f"Bearer {made.key}"}
        self._path = f"/v1/books/{book.name}/commands/"
        self._http = httpx.Client(timeout=PATIENCE_S, limits=httpx.Limits(max_connections=64))

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def send(self, command: str, fields: dict[str, Any], key: str, first: int = 0) -> Reply | None:
        """One attempt at one service; None if that did not tell what became of it."""
        service = self._services[first % len(self._services)]
        headers = {**self._headers, "Idempotency-Key": key}
        try:
            reply = self._http.post(
                service.address + self._path + command, json=fields, headers=headers
            )
        except httpx.TransportError:
            return None
        if reply.status_code == 503:
            assert "Retry-After" in reply.headers
            return None
        replayed = reply.headers.get("Idempotent-Replayed") == "true"
        return Reply(reply.status_code, reply.content, replayed)

    def ask(self, question: str) -> httpx.Response:
        """What the first service answers to a question about the book."""
        book = self._path.removesuffix("/commands/")
        return self._http.get(self._services[0].address + book + question, headers=self._headers)

    def insist(self, command: str, fields: dict[str, Any], key: str, first: int = 0) -> Reply:
        """Ask one service after the other until one answers."""
        for attempt in range(first, first + 200):
            reply = self.send(command, fields, key, attempt)
            if reply is not None:
                return reply
            threading.Event().wait(0.05)
        raise AssertionError(f"nobody answers {command} {key}")
