"""The concurrent scenarios once more, over HTTP, to two service processes."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.scenarios.policies import LIVE_CALL, MICRO_UNLOCK
from tests.scenarios.steps import Sent, events, policy, purchase, tip, unlock, wallet
from tests.scenarios.write_path import WritePath
from tests.support.service import Client, Reply, Service


@pytest.fixture
def client(stage: WritePath) -> Iterator[Client]:
    """A backend in front of two services on the platform's database."""
    fresh = stage.fresh
    services = [Service(fresh.service_url, fresh.admin_url).start() for _ in range(2)]
    calling = Client(services, fresh.book, fresh.admin_url)
    yield calling
    calling.close()
    for service in services:
        service.stop()


def at_once(client: Client, sent: list[Sent]) -> list[Reply]:
    """All of it at the same time, to the services in turn."""
    with ThreadPoolExecutor(len(sent)) as pool:
        doing = [
            pool.submit(client.insist, each.command, each.fields, each.key or "", number)
            for number, each in enumerate(sent)
        ]
        return [done.result() for done in doing]


def test_a3_twenty_concurrent_unlocks_are_one_sale(stage: WritePath, client: Client) -> None:
    stage.given(policy(MICRO_UNLOCK), purchase("small", price=999))
    clicks = [unlock(399, item="photo", key=f"click-{n}") for n in range(20)]
    replies = at_once(client, clicks)
    assert Counter(reply.status for reply in replies) == {201: 1, 409: 19}
    assert sum(b'"ALREADY_ENTITLED"' in reply.body for reply in replies) == 19
    stage.then(events("content.unlocked.v1", 1), wallet(1100 - 399))

    winner = [reply.status for reply in replies].index(201)
    for service in (0, 1):
        again = client.insist(
            clicks[winner].command, clicks[winner].fields, f"click-{winner}", service
        )
        assert (again.status, again.body, again.replayed) == (201, replies[winner].body, True)
    other = client.insist("unlock", clicks[winner].but(price=400).fields, f"click-{winner}")
    assert other.status == 422 and b'"IDEMPOTENCY_KEY_REUSED"' in other.body


def test_b5_fifty_concurrent_tips_of_thirty(stage: WritePath, client: Client) -> None:
    stage.given(policy(LIVE_CALL), purchase("hundred", price=999))
    replies = at_once(client, [tip(30, key=f"tip-{n}") for n in range(50)])
    assert Counter(reply.status for reply in replies) == {201: 3, 402: 47}
    stage.then(events("tip.sent.v1", 3), wallet(10))
