"""Settlement files: which were imported, and what their lines brought the bank."""

from typing import Any

from domain.settlements.lines import BreakOpened, FeeEvent, LineEvent, SettlementPayoutRecorded
from domain.settlements.settlement import SettlementEvent, SettlementFile
from projections.engine.columns import INTEGER, TEXT, followed, said
from projections.engine.register import Register, lives

OPEN, CLOSED = "OPEN", "CLOSED"


def _lines(before: int | None, event: SettlementEvent) -> int:
    """A fee or a control figure is a line where it has a reference of its own."""
    is_line = isinstance(event, LineEvent) or getattr(event, "line_ref", None) is not None
    return (before or 0) + is_line


def _gross(before: int | None, event: SettlementEvent) -> int:
    return (before or 0) + (event.gross if isinstance(event, LineEvent) else 0)


def _fee(before: int | None, event: SettlementEvent) -> int:
    return (before or 0) + (event.fee if isinstance(event, FeeEvent) else 0)


def _paid(before: int | None, event: SettlementEvent) -> int:
    return (before or 0) + (event.amount if isinstance(event, SettlementPayoutRecorded) else 0)


def _breaks(before: int | None, event: SettlementEvent) -> int:
    return (before or 0) + isinstance(event, BreakOpened)


class Settlements(Register):
    """Settlement files by their hashes, in minor units; gross - fee went to the bank.

    OPEN ones have lines that no control figure covers yet. `lines` are those that were new;
    `payout` is the sum of the file's control figures, `breaks` how many its lines opened. Asked for
    alone, its history is its lines and what each posted.
    """

    name, item = "settlements", "settlement"
    version = 1
    state = SettlementFile
    statuses = (OPEN, CLOSED)
    branches = lives(SettlementEvent)
    amount = "gross"
    columns = (
        said("processor", TEXT, nullable=False, by="processor"),
        followed("lines", INTEGER, _lines),
        followed("gross", INTEGER, _gross),
        followed("fee", INTEGER, _fee),
        followed("payout", INTEGER, _paid),
        followed("breaks", INTEGER, _breaks),
    )

    @classmethod
    def status_of(cls, state: Any) -> str:
        """OPEN until a control figure covers its lines."""
        file: SettlementFile = state
        return OPEN if file.moved else CLOSED
