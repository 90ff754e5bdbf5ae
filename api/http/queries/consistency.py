"""Whether the read models agree with the journal and with one another: all of it must be zero."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from api.http.queries.access import Readers
from api.http.queries.question import Answered, Asked, NotYet, Question
from api.http.schemas import AsOf
from domain.accounts import Assets
from projections import queries


class TieOutShown(BaseModel):
    """Two figures that must be the same; `difference` in minor units or tokens of `asset`, as of
    `position`."""

    name: str
    asset: str
    ok: bool
    difference: int
    position: int


class ReadModelShown(BaseModel):
    """How far a read model is behind the log; `failed_at`: where it stopped."""

    name: str
    position: int
    lag_events: int
    lag_s: float
    failed_at: int | None


class ConsistencyShown(AsOf):
    """What was compared, and what was found."""

    ok: bool
    tie_outs: list[TieOutShown]
    wallets_differing: int
    negative_wallets: int
    creators_differing: int
    read_models: list[ReadModelShown]


def read_consistency(asked: Asked) -> Answered:
    """Every wallet and every creator against the journal's accounts, row by row; the sums of the
    read models against the classes of accounts; and how far each read model is. `ok`: nothing
    differs, no wallet is below zero, and no read model has failed. Hashes, postings and decisions
    are proved by `tokenledger verify`.
    """
    assets = Assets.of(asked.book.name, asked.book.currency)
    try:
        found = queries.consistency(asked.connection, assets)
    except queries.ReadModelsApart:
        raise NotYet("the read models are not at the same position yet") from None
    models = queries.status(asked.connection)
    differing = found.wallets_differing + found.negative_wallets + found.creators_differing
    return {
        "ok": not differing
        and all(each.ok for each in found.tie_outs)
        and all(each.healthy for each in models),
        "tie_outs": [each.shown() for each in found.tie_outs],
        "wallets_differing": found.wallets_differing,
        "negative_wallets": found.negative_wallets,
        "creators_differing": found.creators_differing,
        "read_models": shown_models(models),
        "as_of_position": found.position,
    }


def shown_models(models: Sequence[queries.Status]) -> list[dict[str, Any]]:
    """How far the read models are, for an answer."""
    return [
        {
            "name": each.name,
            "position": each.position,
            "lag_events": each.lag_events,
            "lag_s": round(each.lag_s, 3),
            "failed_at": each.failed_at,
        }
        for each in models
    ]


QUESTIONS = (
    Question(
        "/consistency",
        "Whether the read models agree with the journal",
        ConsistencyShown,
        Readers("consistency"),
        read_consistency,
    ),
)
