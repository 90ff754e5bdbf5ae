"""A door to PostgreSQL that breaks in the middle of COMMIT.

It stands in a directory of its own as a Unix socket and passes everything on. Of the COMMITs that
come through, every `every`-th is cut off: the connection is lost with the outcome unknown. In
turn the COMMIT reaches the server and its reply is dropped, or it does not even get there.
"""

import itertools
import socket
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"


class CuttingDoor:
    """Listens in `directory` for connections to the server whose socket is in `behind`."""

    def __init__(self, directory: Path, behind: Path, *, every: int) -> None:
        self.directory = directory
        self.cuts = 0
        self._behind = str(behind / ".s.PGSQL.5432")
        self._every = every
        self._commits = itertools.count(1)
        self._listener = socket.socket(socket.AF_UNIX)
        directory.mkdir()
        self._listener.bind(str(directory / ".s.PGSQL.5432"))
        self._listener.listen()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._behind)
            for target in (self._requests, self._replies):
                threading.Thread(target=target, args=(client, server), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        while data := _read(client):
            if COMMIT in data and next(self._commits) % self._every == 0:
                self.cuts += 1
                if self.cuts % 2:
                    # Nobody listens for the reply any more, but the server does commit.
                    _close(client)
                    server.sendall(data)
                break
            with suppress(OSError):
                server.sendall(data)
        _close(client)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _replies(self, client: socket.socket, server: socket.socket) -> None:
        while data := _read(server):
            with suppress(OSError):
                client.sendall(data)
        _close(client)
        server.close()


def _read(source: socket.socket) -> bytes:
    try:
        return source.recv(65_536)
    except OSError:
        return b""


def _close(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
