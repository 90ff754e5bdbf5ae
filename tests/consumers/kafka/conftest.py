"""A real broker for the test run; all of these tests run in one process and share it.

`TOKENLEDGER_TEST_KAFKA` names a broker that runs already; `required` makes a missing one fail the
run instead of skipping these tests.
"""

import gc
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers.kafka import local_broker
from consumers.kafka.local_broker import Broker
from ledger.postgres import embedded
from ledger.settings import Settings
from tests.consumers.kafka.edge import Edge
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import policy
from tests.scenarios.write_path import WritePath, stage

__all__ = ["stage"]

GIVEN = os.environ.get("TOKENLEDGER_TEST_KAFKA", "")
REQUIRED = GIVEN == "required"
EXTERNAL = "" if REQUIRED else GIVEN
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests that need the broker together in one process of a parallel run; skip them
    where there is none and none is required."""
    missing = None if EXTERNAL else local_broker.missing()
    for item in items:
        names: list[str] = getattr(item, "fixturenames", [])
        if HERE not in item.path.parents or not {"bootstrap", "own_broker"} & set(names):
            continue
        item.add_marker(pytest.mark.xdist_group("kafka"))
        if missing and not REQUIRED:
            item.add_marker(pytest.mark.skip(reason=f"no Kafka broker: {missing}"))


@pytest.fixture(scope="session")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The run's own broker, which tests may kill and must start again."""
    if EXTERNAL:
        pytest.skip("a broker that somebody else runs is not to be killed")
    if missing := local_broker.missing():
        pytest.fail(f"a Kafka broker is required: {missing}")
    with local_broker.running(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """What the client library leaves of connections to brokers is collected where it was made, and
    not in the middle of a test elsewhere, which would be blamed for it."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def bootstrap(request: pytest.FixtureRequest) -> str:
    """Where the broker of the test run listens."""
    if EXTERNAL:
        return EXTERNAL
    broker: Broker = request.getfixturevalue("own_broker")
    return broker.bootstrap


@pytest.fixture
def document() -> dict[str, Any]:
    """The book's policy; a test may ask for another one, or with an empty one for none."""
    return MICRO_UNLOCK


@pytest.fixture
def edge(
    stage: WritePath, bootstrap: str, tmp_path: Path, document: dict[str, Any]
) -> Iterator[Edge]:
    """A book with a policy, and what is needed to connect it with the broker."""
    settings = Settings(
        kafka_bootstrap=bootstrap, kafka_partitions=3, relay_lease_s=1.0, kafka_session_s=6
    )
    if document:
        stage.given(policy(document))
    running = Edge(stage, settings, tmp_path)
    yield running
    running.close()


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Server]:
    """Another PostgreSQL."""
    with embedded.server(tmp_path_factory.mktemp("elsewhere")) as running:
        yield running
