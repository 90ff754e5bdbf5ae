"""Carries answers from the writers' threads to the event loop: one wake-up per batch.

A wake-up of the loop costs a system call and a hand-over of the interpreter; a batch answers
up to thousands of requests, so they are collected and only the first one wakes the loop.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

from ledger.write.answer import Answer
from ledger.write.group import Group
from ledger.write.unavailable import Unavailable
from ledger.write.writer import Writer

Outcome = list[Answer] | Unavailable


class ReplyDispatcher:
    """Hands answers to the event loop given to `attach`; submit from that loop's thread only."""

    def __init__(self, observe: Callable[[float], None]) -> None:
        """`observe` is told how many commands each wake-up brings answers for."""
        self._observe = observe
        self._loop: asyncio.AbstractEventLoop
        self._arrived: deque[tuple[asyncio.Future[list[Answer]], Outcome]] = deque()
        self._scheduled = False

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Set the loop that waits for the answers."""
        self._loop = loop

    def submit(self, writer: Writer, group: Group) -> asyncio.Future[list[Answer]]:
        """Queue a group; the future holds its answers or raises Unavailable, as may this."""
        future: asyncio.Future[list[Answer]] = self._loop.create_future()
        writer.submit(group, partial(self._arrive, future))
        return future

    def _arrive(self, future: asyncio.Future[list[Answer]], outcome: Outcome) -> None:
        """Runs in a writer's thread."""
        self._arrived.append((future, outcome))
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon_threadsafe(self._hand_over)

    def _hand_over(self) -> None:
        # Cleared before the deque is emptied: what arrives from here on wakes the loop again.
        self._scheduled = False
        commands = 0
        while self._arrived:
            future, outcome = self._arrived.popleft()
            commands += len(outcome) if isinstance(outcome, list) else 0
            if future.done():  # its client went away
                continue
            if isinstance(outcome, Unavailable):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
        if commands:
            self._observe(commands)
