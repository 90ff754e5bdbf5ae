"""The simulated day: planned by its seed alone, sent to the real service, judged honestly."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise

import httpx
import pytest

from api.cli.books import profile_document
from api.cli.simulate import policy_at
from api.simulation.day_plan import Day, Size, Step, UnfitPolicy
from api.simulation.driver import Simulation, SimulationFailed, Tallies
from api.simulation.http_client import Address, Reply, Wire
from domain.policy import Policy
from ledger.postgres.database import Database
from tests.api.conftest import Tenant, founded, fresh

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
SMALL = Size(users=80, creators=10, commands=1_200)
MICRO_UNLOCK = Policy.model_validate(profile_document("micro-unlock"))


def planned(seed: int = 1, policy: Policy = MICRO_UNLOCK, size: Size = SMALL) -> list[Step]:
    return list(Day(policy, size, seed=seed, midnight=MIDNIGHT).steps())


def a_book(http: httpx.Client, database: Database) -> Tenant:
    return Tenant(http, database, founded(database, fresh("Day")))


def simulated(tenant: Tenant, steps: list[Step], *, bulk_share: float = 0.5) -> Tallies:
    address = Address.of(str(tenant.http.base_url))
    key = tenant.caller().key
    assert key is not None
    simulation = Simulation(address, tenant.book.name, key, connections=8, bulk_share=bulk_share)
    return asyncio.run(simulation.run(steps))


def test_a_seed_is_a_day() -> None:
    assert planned(1) == planned(1) != planned(2)
    assert len(planned(1)) == SMALL.commands


def test_the_day_goes_forward_and_ends_at_midnight() -> None:
    times = [step.fields["occurred_at"] for step in planned() if not step.again]
    assert all(earlier <= later for earlier, later in pairwise(times))
    assert all(time.startswith("2026-03-01T") for time in times)


def test_a_few_creators_get_most_of_it() -> None:
    steps = planned(size=Size(users=1_000, creators=200, commands=20_000))
    sales = Counter(step.fields["creator"] for step in steps if "creator" in step.fields)
    top = sum(times for _, times in sales.most_common(20))
    assert top > sales.total() / 2


def test_whatever_is_sent_again_is_the_same_step_of_the_same_user() -> None:
    steps = planned()
    again = [step for step in steps if step.again]
    assert len(again) > 20
    for step in again:
        firsts = [s for s in steps if s.key == step.key and s.fields == step.fields and not s.again]
        assert [(first.user, first.command) for first in firsts] == [(step.user, step.command)]


def test_every_profile_that_sells_tokens_has_a_day() -> None:
    live_call = Policy.model_validate(profile_document("live-call"))
    assert len(planned(policy=live_call)) == SMALL.commands
    with pytest.raises(UnfitPolicy, match="sell token packages"):
        planned(policy=Policy.model_validate(profile_document("tips")))


def test_the_outcomes_are_the_seeds_whatever_the_route(
    http: httpx.Client, database: Database
) -> None:
    steps = planned()
    by_lines = simulated(a_book(http, database), steps, bulk_share=1.0)
    one_by_one = simulated(a_book(http, database), steps, bulk_share=0.0)
    mixed = simulated(a_book(http, database), steps)
    assert by_lines.outcomes == one_by_one.outcomes == mixed.outcomes
    assert one_by_one.singles == len(steps) and by_lines.bulk_requests
    outcomes = mixed.by_outcome()
    assert outcomes.total() == len(steps)
    assert outcomes["accepted"] > 800 and outcomes["replayed"] > 20
    codes = {code for _, outcome, code in mixed.outcomes if outcome == "rejected"}
    assert codes >= {"INSUFFICIENT_TOKENS", "ALREADY_ENTITLED", "IDEMPOTENCY_KEY_REUSED"}


def test_the_same_day_again_is_all_replays(http: httpx.Client, database: Database) -> None:
    tenant = a_book(http, database)
    steps = planned(3)
    first = simulated(tenant, steps)
    second = simulated(tenant, steps)
    never_stored = {"INVALID_REQUEST", "IDEMPOTENCY_KEY_REUSED"}
    assert {code for _, outcome, code in second.outcomes if outcome != "replayed"} <= never_stored
    assert second.position == first.position


def test_a_replay_that_is_not_the_first_answer_is_an_error(
    monkeypatch: pytest.MonkeyPatch, http: httpx.Client, database: Database
) -> None:
    honest = Wire.post

    async def forgetful(self: Wire, path: str, body: bytes, **more: str) -> Reply:
        reply = await honest(self, path, body, **more)
        if "idempotent-replayed" not in reply.headers:
            return reply
        return reply._replace(body=reply.body.replace(b'"position":', b'"position":1'))

    monkeypatch.setattr(Wire, "post", forgetful)
    with pytest.raises(SimulationFailed, match="replays differ from the first answer"):
        simulated(a_book(http, database), planned(), bulk_share=0.0)


def test_a_wrong_key_and_an_unknown_book_end_the_simulation(tenant: Tenant) -> None:
    address = Address.of(str(tenant.http.base_url))
    for book, key in ((tenant.book.name, "tlk_wrong"), ("Nowhere", tenant.caller().key)):
        simulation = Simulation(address, book, key or "", connections=2, bulk_share=0.0)
        with pytest.raises(SimulationFailed, match=r"was answered 40[14]"):
            asyncio.run(simulation.run(planned()[:5]))


def test_the_policy_is_the_one_in_force_when_the_day_begins(tenant: Tenant) -> None:
    address = Address.of(str(tenant.http.base_url))
    wire = Wire(address, {"Authorization": f"Bearer {tenant.caller().key}"})

    async def asked(at: datetime) -> Policy:
        try:
            return await policy_at(wire, tenant.book.name, at)
        finally:
            wire.close()

    assert asyncio.run(asked(MIDNIGHT)).profile == "micro-unlock"
    with pytest.raises(SimulationFailed, match=r"no policy of .* is in force from 1960-01-01"):
        asyncio.run(asked(datetime(1960, 1, 1, tzinfo=UTC)))


def test_a_service_that_hangs_up_is_asked_again(http: httpx.Client, database: Database) -> None:
    """A proxy that cuts every tenth answer: the client sends the same key again."""
    tenant = a_book(http, database)
    upstream = Address.of(str(http.base_url))
    cuts = Counter[str]()

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(*upstream)
        try:
            while request := await reader.read(1 << 20):
                up_writer.write(request)
                reply = await up_reader.read(1 << 20)
                cuts["answers"] += 1
                if cuts["answers"] % 10 == 0:
                    cuts["cut"] += 1
                    return
                writer.write(reply)
        finally:
            writer.close()
            up_writer.close()

    async def run() -> Tallies:
        server = await asyncio.start_server(proxy, "127.0.0.1", 0)
        async with server:
            host, port = server.sockets[0].getsockname()
            key = tenant.caller().key or ""
            address = Address(host, port)
            simulation = Simulation(address, tenant.book.name, key, connections=4, bulk_share=0.0)
            return await simulation.run(planned()[:200])

    tallies = asyncio.run(run())
    assert cuts["cut"] >= 10 and tallies.waited >= cuts["cut"] - 4
    assert tallies.sent == 200
    accepted = sum(
        times
        for (_, outcome, _), times in tallies.outcomes.items()
        if outcome in {"accepted", "replayed"}
    )
    assert accepted > 150
