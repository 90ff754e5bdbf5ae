"""Users' rights to items."""

from pydantic import Field

from api.http.queries.access import USER_OR_READERS
from api.http.queries.parameters import Subject
from api.http.queries.question import Answered, Asked, Question, not_before
from api.http.schemas import AsOf
from domain.rejections import Reason, reject
from ledger.write.admission import Denied
from projections.queries import entitlement

_NOT_ENTITLED = Reason("NOT_ENTITLED", 402, "Not entitled", "{user} is not entitled to {item}")


class Entitlement(AsOf):
    """A right to an item."""

    user: str
    item: str
    source: str
    sale: str
    valid_until: str | None = Field(json_schema_extra={"format": "date-time"})


def read_entitlement(asked: Asked, user: Subject, item: Subject) -> Answered:
    """200 where the user has a right to the item, 402 where not."""
    answered = not_before(asked.min_position, entitlement(asked.connection, user, item))
    if answered["source"] is None:
        raise Denied(reject(_NOT_ENTITLED, user=user, item=item))
    return answered


QUESTIONS = (
    Question(
        "/entitlements/{user}/{item}",
        "Whether a user is entitled to an item",
        Entitlement,
        USER_OR_READERS,
        read_entitlement,
        statuses=(402,),
    ),
)
