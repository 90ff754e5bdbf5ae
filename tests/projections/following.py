"""Moves a test book's read models without an engine, and a small busy day to move them over."""

from collections.abc import Sequence

from projections.catalogue import all_projections
from projections.engine.install import install
from projections.engine.projection import Projection
from projections.engine.runner import Follower, Runner
from tests.conftest import FreshBook
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import (
    Sent,
    card_tip,
    card_unlock,
    freeze,
    grant,
    policy,
    purchase,
    ticket,
    tip,
    unlock,
)
from tests.scenarios.write_path import WritePath

POLICY = {
    **MICRO_UNLOCK,
    "packages": {"small": {"tokens": 1000, "bonus": 100, "price": 999}},
    "products_enabled": ["unlock", "message", "ticket", "tip"],
    "tier_ladder": [{"tier": "VIP", "min": 500}, {"tier": "REGULAR", "min": 100}],
}


def follow(fresh: FreshBook, projections: Sequence[Projection] | None = None) -> list[Follower]:
    """Move the book's read models to the head, as far as they go."""
    models = list(projections if projections is not None else all_projections())
    with fresh.connect(autocommit=True) as connection:
        install(connection, models)
        runner = Runner(connection, models)
        runner.take_over()
        while runner.step():
            pass
        # The server would give them back a moment after we have hung up: too late for the next.
        connection.execute("SELECT pg_advisory_unlock_all()")
        return runner.followers


def busy_day() -> list[Sent]:
    """Every kind of event there is in a first form, all accepted."""
    return [
        *policy(POLICY),
        purchase("small", 999, "ann"),
        purchase("small", 999, "ben"),
        grant(500, "cid"),
        unlock(399, "photo", "ann"),
        unlock(701, "film", "ann"),
        tip(3, "ben", "cora"),
        tip(20, "ben", "carl"),
        tip(100, "cid", "cora"),
        ticket(150, "show", "ben", access_until="2020-01-01T00:00:00Z"),
        card_unlock(399, "song", "ann", creator="cora", discount=100),
        card_tip(250, "dee", "cora"),
        freeze("ann", "wallet", "SPEND"),
        freeze("ben", "wallet", "SPEND"),
        freeze("carl", "creator", "EARN"),
        freeze("ben", "wallet", "SPEND").but(reason_code="AGAIN"),
        Sent("unfreeze", freeze("ben", "wallet", "SPEND").fields),
    ]


def written(stage: WritePath) -> WritePath:
    """A book after that day."""
    return stage.given(busy_day())
