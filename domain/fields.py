"""The types of what clients may send: ids, amounts, times, codes.

Strict on purpose. What passes here can poison neither a batch (NUL aborts a COPY) nor a tag or
an account name (`.` and `:` delimit them) nor a sum (10^12 at most).
"""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from domain.money import AMOUNT_MAX, BPS

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
#: What others call a thing: a processor's reference of a payment, of a notice or of a file's line.
#: A `:` in one is harmless in a tag: that is taken apart at its first `:` only.
Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:+=@-]{1,128}$")]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]

LABELS_MAX = 8
#: What a sender wants to find and sum things by: (key, value) pairs like stream: s1.
Labels = Annotated[dict[Id, Id], Field(max_length=LABELS_MAX)]

PositiveAmount = Annotated[int, Field(gt=0, le=AMOUNT_MAX)]
Amount = Annotated[int, Field(ge=0, le=AMOUNT_MAX)]
SignedAmount = Annotated[int, Field(ge=-AMOUNT_MAX, le=AMOUNT_MAX)]
Bps = Annotated[int, Field(ge=0, le=BPS)]

FundingField = Literal["TOKEN", "CARD"]
ScopeField = Literal["SPEND", "EARN", "PAYOUT"]
SubjectKindField = Literal["wallet", "creator"]


class Funding(StrEnum):
    """What a sale is paid with."""

    TOKEN = "TOKEN"
    CARD = "CARD"


class FreezeScope(StrEnum):
    """What a freeze stops."""

    SPEND = "SPEND"
    EARN = "EARN"
    PAYOUT = "PAYOUT"


class SubjectKind(StrEnum):
    """What a subject is: a user's wallet or a creator."""

    WALLET = "wallet"
    CREATOR = "creator"


#: Whatever is before that is a mistake, and may have no date in some time zone.
INSTANT_MIN = datetime(1900, 1, 1, tzinfo=UTC)
RFC3339_UTC = re.compile(r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z\Z")


def _instant(value: Any) -> datetime:
    if isinstance(value, datetime) and value.tzinfo is UTC:
        return value
    if isinstance(value, str) and RFC3339_UTC.match(value):
        try:
            instant = datetime.fromisoformat(value).astimezone(UTC)
        except ValueError:
            pass
        else:
            if instant >= INSTANT_MIN:
                return instant
            raise PydanticCustomError("instant", "must not be before 1900")
    raise PydanticCustomError(
        "instant", "must be a time in UTC as RFC 3339 with Z, like 2026-11-20T05:42:00.123456Z"
    )


Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


_WORD = re.compile(r"\A[A-Za-z0-9_./-]{1,64}\Z")


def _harmless(value: Any) -> Any:
    match value:
        case dict() if all(isinstance(key, str) and _WORD.match(key) for key in value):
            return {key: _harmless(inner) for key, inner in value.items()}
        case list():
            return [_harmless(inner) for inner in value]
        case str() if _WORD.match(value):
            return value
        case None | bool():
            return value
        case int() if abs(value) <= AMOUNT_MAX:
            return value
    raise PydanticCustomError(
        "harmless", "must be made of whole numbers up to 10^12 and words of A-Z a-z 0-9 _ . / -"
    )


#: JSON of a shape that is not the ledger's business, and that cannot poison an entry.
Harmless = Annotated[Any, BeforeValidator(_harmless)]
