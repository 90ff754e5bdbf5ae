"""Holds: credits set aside for a campaign, the batches that used them, and what was released."""

from dataclasses import dataclass

from domain.holds.hold import CreditsHeld, Hold, HoldEvent, HoldSettled, HoldStatus
from projections.engine.columns import INTEGER, TEXT, TIME, first, followed, kept, said
from projections.engine.register import Detail, Register, lives


@dataclass(frozen=True)
class HoldBatch:
    """A batch and the tokens that it used."""

    batch_no: int
    used: int


def _released(before: int | None, event: HoldEvent) -> int:
    return (before or 0) + (event.released if isinstance(event, HoldSettled) else 0)


class Holds(Register):
    """Holds of credits, in tokens; `released`: minor units of their price that batches released."""

    name, item = "holds", "hold"
    version = 1
    state = Hold
    statuses = tuple(HoldStatus)
    branches = lives(HoldEvent)
    amount = "tokens"
    columns = (
        kept("user", TEXT, by="user"),
        said("tokens", INTEGER, first(CreditsHeld, field="tokens"), nullable=False),
        kept("used", INTEGER, lambda hold: sum(used for _, used in hold.batches)),
        kept("held", INTEGER, text="neither used nor free again"),
        followed("released", INTEGER, _released),
        kept("expires_at", TIME, nullable=True),
    )
    details = (
        Detail(
            "batches",
            list[HoldBatch],
            lambda hold: [HoldBatch(number, used) for number, used in hold.batches],
        ),
    )
