"""Adjustments: postings that one person proposed and another approved or rejected."""

from domain.controls.adjustments import Adjustment, AdjustmentEvent
from domain.controls.proposals import ProposalStatus
from projections.engine.columns import TEXT, kept, said
from projections.engine.register import Detail, Register, lives


class Adjustments(Register):
    """Adjustments; asked for alone, one says its `postings`: account, asset, amount."""

    name, item = "adjustments", "adjustment"
    version = 1
    state = Adjustment
    statuses = tuple(status.upper() for status in ProposalStatus)
    branches = lives(AdjustmentEvent)
    columns = (
        kept("proposer", TEXT, by="requested_by"),
        kept("sender", TEXT, nullable=True, text="who sent the proposal on the proposer's behalf"),
        said("approver", TEXT),
        kept("reason", TEXT),
        kept(
            "effective_on",
            TEXT,
            lambda adjustment: adjustment.effective_on and adjustment.effective_on.isoformat(),
            nullable=True,
        ),
    )
    details = (Detail("postings", list[tuple[str, str, int]], lambda adjustment: adjustment.legs),)
