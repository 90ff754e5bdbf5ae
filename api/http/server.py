"""Runs the HTTP application until SIGTERM or SIGINT.

Then it stops accepting, finishes the requests in flight, drains the writers and returns, so that
the process can exit with status 0.
"""

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn

from api.http.app import Application
from api.http.connections import limited

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
#: Requests still in flight after that long are broken off: queries that wait for a position.
FINISH_WITHIN_S = 20
_BACKLOG = 2_048


class CannotListen(Exception):
    """Nothing can listen on this address."""


class _Server(uvicorn.Server):
    """Stops on a signal, and does not raise the signal again afterwards as uvicorn does."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():  # signals come to main only
            yield
            return
        before: dict[signal.Signals, Any] = {
            number: signal.signal(number, self._stop) for number in STOP_SIGNALS
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes any free one. Raises `CannotListen`."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        raise CannotListen(f"cannot listen on {host}:{port}: {error.strerror or error}") from None
    return listening


def address(listening: socket.socket) -> str:
    """The URL under which the socket is reached."""
    host, port = listening.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104
    return f"http://{f'[{shown}]' if ':' in shown and shown[0] != '[' else shown}:{port}"


def make(app: Application) -> uvicorn.Server:
    """A server for the app, to be run with the sockets it shall listen on."""
    return _Server(
        uvicorn.Config(
            app,
            loop="uvloop",
            http=limited(app.settings),
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_graceful_shutdown=FINISH_WITHIN_S,
        )
    )


def run(app: Application, listening: socket.socket) -> None:
    """Serve until a signal; returns when everything is finished."""
    make(app).run(sockets=[listening])
