"""What answers look like, for the documentation: those of commands, refusals, and what the answers
of all questions share. The rest stands beside its question in `api/http/queries`.

Nothing is validated against these on the way out; answers are encoded where they are made. A
test compares real answers with them.
"""

from typing import Any

from pydantic import BaseModel, Field

POSITION = "the position of the log that the answer stands for"


class RecordedEvent(BaseModel):
    """One event that a command caused."""

    position: int
    event_id: str
    type: str
    body: dict[str, Any]


class ReleasedNotice(BaseModel):
    """A parked notice that was decided in the commit of what it had waited for."""

    processor: str
    command: str
    processor_ref: str
    position: int = Field(description="of its last event, or the head where it made none")


class CommandAnswer(BaseModel):
    """What a command that was not refused is answered."""

    outcome: str = Field(description="accepted, parked, suspended or ignored")
    command: str
    code: str | None = Field(None, description="why a notice was parked, suspended or ignored")
    position: int = Field(
        description="of the last event that the command caused in its commit, parked notices that "
        "it released included; or the head where nothing was to do"
    )
    recorded_at: str | None = Field(json_schema_extra={"format": "date-time"})
    events: list[RecordedEvent]
    released: list[ReleasedNotice] | None = Field(
        None, description="parked notices that it released, where there are any"
    )


class FieldError(BaseModel):
    """One wrong field."""

    pointer: str = Field(description="a JSON pointer (RFC 6901)")
    message: str


class ProblemDocument(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    message: str = Field(description="The same as `detail`.")
    code: str
    details: dict[str, Any]
    retryable: bool
    correlation_id: str
    errors: list[FieldError] | None = None


class AsOf(BaseModel):
    """What the answer of every question has."""

    as_of_position: int = Field(description=POSITION)
