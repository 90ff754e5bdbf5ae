"""Requests about settlements as they were before lines had references of their own.

Nobody sends them anew: they are refused. One that was answered once is known by its key and its
fields, and gets that answer again.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from domain.command import FormerRequest, former
from domain.fields import Amount, Id, PositiveAmount
from domain.settlements.commands import ResolutionField
from domain.settlements.piece import LINES_MAX, Sha256


class FormerLine(BaseModel):
    """What the processor paid out for one payment."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    payment_ref: Id
    amount: PositiveAmount


@former
class FormerImport(FormerRequest):
    """Lines known by their number in the file."""

    name = "import-settlement"
    roles = frozenset({"finance"})

    processor: Id
    file_sha256: Sha256
    lines: Annotated[tuple[FormerLine, ...], Field(strict=False, max_length=LINES_MAX)]
    first_line: PositiveAmount = 1
    fee: Amount = 0


@former
class FormerResolution(FormerRequest):
    """The end of a break that had its payment's name."""

    name = "resolve-break"
    roles = frozenset({"finance"})

    payment_ref: Id
    resolution: ResolutionField
