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
from ledger.write.writer import NOT_KNOWN, Writer

Outcome = list[Answer] | Unavailable

LOOK_EVERY_S = 0.25


class ReplyDispatcher:
    """Hands answers to the event loop given to `attach`; submit from that loop's thread only."""

    def __init__(self, observe: Callable[[float], None]) -> None:
        """`observe` is told how many commands each wake-up brings answers for."""
        self._observe = observe
        self._loop: asyncio.AbstractEventLoop
        self._arrived: deque[tuple[asyncio.Future[list[Answer]], Outcome]] = deque()
        self._scheduled = False
        #: What must be answered by when, in seconds of the loop's clock, the first first.
        self._due: deque[tuple[float, asyncio.Future[list[Answer]]]] = deque()

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Set the loop that waits for the answers."""
        self._loop = loop

    def submit(self, writer: Writer, group: Group) -> asyncio.Future[list[Answer]]:
        """Queue a group; the future holds its answers or raises Unavailable, as may this."""
        future: asyncio.Future[list[Answer]] = self._loop.create_future()
        writer.submit(group, partial(self._arrive, future))
        return future

    def submit_within(
        self, writer: Writer, group: Group, within_s: float
    ) -> asyncio.Future[list[Answer]]:
        """The same, and after `within_s`, which never changes, the future raises Unavailable.

        The group stays on its way: its outcome is what a retry with the same key learns.
        """
        future = self.submit(writer, group)
        if not self._due:
            self._loop.call_later(LOOK_EVERY_S, self._give_up)
        self._due.append((self._loop.time() + within_s, future))
        return future

    def _give_up(self) -> None:
        """One timer looks after all: thousands a second would end before they are over."""
        now = self._loop.time()
        while self._due:
            over_at, future = self._due[0]
            if not future.done():
                if over_at > now:
                    break
                future.set_exception(Unavailable(f"the commit takes long; {NOT_KNOWN}"))
            self._due.popleft()
        if self._due:
            self._loop.call_later(LOOK_EVERY_S, self._give_up)

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
            if future.done():  # its client went away, or was told that it takes long
                continue
            if isinstance(outcome, Unavailable):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
        if commands:
            self._observe(commands)
