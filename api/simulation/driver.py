"""Sends a day's plan to a real service over HTTP, as many honest clients would.

A user's commands keep their order, because they go over one connection; different users' commands
race, and yet the outcomes are the seed's alone, because no user's outcome depends on another's.
Half of the commands go one by one, half in bulk. Whatever is sent again has to get the first
answer byte for byte, by whichever route it goes; a client that is told to wait, or cut off, sends
the same key again until it has an answer.
"""

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from http import HTTPStatus

import msgspec

from api.simulation.day_plan import Step
from api.simulation.http_client import Address, Reply, Wire

LINES_MAX = 250
#: How long a client keeps trying when the service is away.
PATIENCE_S = 30.0

_BULK_HEAD = re.compile(rb'\A\{(?:"status":\d+,)?(?:"replayed":true,)?')
_NOT_NOW = frozenset({429, 503})
_NEVER_STORED = frozenset({400, 401, 403, 413, 429, 500, 503})


class SimulationFailed(Exception):
    """The service answered what an honest client cannot go on with."""


class _Outcome(msgspec.Struct):
    """What an answer's body tells besides its status."""

    outcome: str = "rejected"
    code: str = ""
    position: int = 0
    status: int = 0
    replayed: bool = False


_outcomes = msgspec.json.Decoder(_Outcome)


@dataclass(slots=True)
class Tallies:
    """What was answered. `outcomes`: how often, by (command, outcome, code)."""

    outcomes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    sent: int = 0
    singles: int = 0
    bulk_requests: int = 0
    replays: int = 0
    replays_unlike: int = 0
    waited: int = 0
    position: int = 0
    elapsed_s: float = 0.0
    latencies_s: list[float] = field(default_factory=list)

    def quantile_ms(self, share: float) -> float:
        """How long single commands took: `share` of them no longer than this."""
        ranked = sorted(self.latencies_s)
        return ranked[min(len(ranked) - 1, int(share * len(ranked)))] * 1000 if ranked else 0.0

    def by_outcome(self) -> Counter[str]:
        """How often each outcome came, whatever the command."""
        counted: Counter[str] = Counter()
        for (_, outcome, _), times in self.outcomes.items():
            counted[outcome] += times
        return counted


class Simulation:
    """One run of a plan against the service at `address`."""

    def __init__(
        self,
        address: Address,
        book: str,
        key: str,
        *,
        connections: int = 32,
        bulk_share: float = 0.5,
        on_answers: Callable[[int], object] = lambda _: None,
    ) -> None:
        self.tallies = Tallies()
        self._address = address
        self._path = f"/v1/books/{book}/commands"
        self._headers = {"Authorization": f"Bearer {key}"}
        self._connections = connections
        self.bulk_share = bulk_share
        self._on_answers = on_answers

    async def run(self, steps: Sequence[Step]) -> Tallies:
        """Send everything; raises SimulationFailed, also when a replay is not the first answer."""
        lanes: list[list[Step]] = [[] for _ in range(self._connections)]
        for step in steps:
            lanes[step.user % self._connections].append(step)
        repeated = {step.key for step in steps if step.again}
        started = time.perf_counter()
        try:
            async with asyncio.TaskGroup() as tasks:
                for number, lane in enumerate(lanes):
                    if lane:
                        tasks.create_task(_Lane(self, number, repeated).run(lane))
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        self.tallies.elapsed_s = time.perf_counter() - started
        if self.tallies.replays_unlike:
            raise SimulationFailed(
                f"{self.tallies.replays_unlike} replays differ from the first answer"
            )
        return self.tallies

    def wire(self) -> Wire:
        """Open a new connection."""
        return Wire(self._address, self._headers)

    async def single(self, wire: Wire, step: Step) -> Reply:
        """Send one command by its own route."""
        body = msgspec.json.encode(step.fields)
        started = time.perf_counter()
        reply = await self._insist(
            wire, f"{self._path}/{step.command}", body, "application/json", key=step.key
        )
        self.tallies.latencies_s.append(time.perf_counter() - started)
        self.tallies.singles += 1
        return reply

    async def bulk(self, wire: Wire, steps: Sequence[Step]) -> list[bytes]:
        """Many commands in one request; answers in the same order."""
        lines = [
            {"command": step.command, "idempotency_key": step.key, **step.fields} for step in steps
        ]
        body = b"\n".join(msgspec.json.encode(line) for line in lines)
        reply = await self._insist(wire, self._path, body, "application/x-ndjson")
        answers = reply.body.splitlines()
        if reply.status != HTTPStatus.OK or len(answers) != len(steps):
            raise SimulationFailed(
                f"{len(steps)} bulk lines were answered {reply.status} with {len(answers)} lines"
            )
        self.tallies.bulk_requests += 1
        return answers

    def note(self, step: Step, status: int, outcome: _Outcome, *, replayed: bool) -> None:
        """Count one answer."""
        tallies = self.tallies
        name = "replayed" if replayed else outcome.outcome
        tallies.outcomes[step.command, name, outcome.code] += 1
        tallies.position = max(tallies.position, outcome.position)
        tallies.sent += 1
        self._on_answers(1)
        if status in {401, 403, 404}:
            raise SimulationFailed(f"{step.command} was answered {status} {outcome.code}")

    async def _insist(
        self, wire: Wire, path: str, body: bytes, content_type: str, *, key: str | None = None
    ) -> Reply:
        """Send, and after a cut or a "not now" the same again; each repetition is safe."""
        give_up_at = time.monotonic() + PATIENCE_S
        while True:
            try:
                reply = await wire.post(path, body, content_type=content_type, key=key)
            except ConnectionError as error:
                if time.monotonic() > give_up_at:
                    raise SimulationFailed(str(error)) from error
                pause_s = 0.2
            else:
                away = reply.status in _NOT_NOW
                if not away or time.monotonic() > give_up_at:
                    return reply
                pause_s = min(1.0, float(reply.headers.get("retry-after", "1")))
            self.tallies.waited += 1
            await asyncio.sleep(pause_s)


class _Lane:
    """One connection's share of the plan, in order."""

    def __init__(self, simulation: Simulation, number: int, repeated: set[str]) -> None:
        self._simulation = simulation
        self._draw = random.Random(number)
        self._repeated = repeated
        self._firsts: dict[str, bytes] = {}

    async def run(self, steps: list[Step]) -> None:
        wire = self._simulation.wire()
        try:
            for together in self._portions(steps):
                if len(together) == 1:
                    reply = await self._simulation.single(wire, together[0])
                    replayed = reply.headers.get("idempotent-replayed") == "true"
                    self._judge(together[0], reply.status, reply.body, replayed=replayed)
                else:
                    await self._bulk(wire, together)
        finally:
            wire.close()

    async def _bulk(self, wire: Wire, together: list[Step]) -> None:
        while together:
            answers = await self._simulation.bulk(wire, together)
            not_now = []
            for step, line in zip(together, answers, strict=True):
                outcome = _outcomes.decode(line)
                if outcome.status in _NOT_NOW:
                    not_now.append(step)
                else:
                    own = _BULK_HEAD.sub(b"{", line)
                    self._judge(step, outcome.status, own, replayed=outcome.replayed)
            together = not_now
            if not_now:
                await asyncio.sleep(1.0)

    def _portions(self, steps: list[Step]) -> Iterator[list[Step]]:
        """Runs of single commands and of bulk requests by turns, in the order of the plan."""
        share, at = self._simulation.bulk_share, 0
        while at < len(steps):
            size = self._draw.randrange(2, LINES_MAX)
            if self._draw.random() < share:
                yield steps[at : at + size]
            else:
                yield from ([step] for step in steps[at : at + size])
            at += size

    def _judge(self, step: Step, status: int, body: bytes, *, replayed: bool) -> None:
        """Count the answer; hold a replay against the first answer."""
        outcome = _outcomes.decode(body)
        self._simulation.note(step, status, outcome, replayed=replayed)
        if step.key not in self._repeated or status in _NEVER_STORED:
            return
        digest = blake2b(body, digest_size=16).digest()
        first = self._firsts.setdefault(step.key, digest)
        if step.again and outcome.code != "IDEMPOTENCY_KEY_REUSED":
            self._simulation.tallies.replays += 1
            if first != digest:
                self._simulation.tallies.replays_unlike += 1
