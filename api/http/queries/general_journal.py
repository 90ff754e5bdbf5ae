"""The general journal: every posting, event by event."""

from pydantic import BaseModel, Field

from api.http.queries.access import Readers
from api.http.queries.listing import Labels, Paged, cursor_text, read_cursor
from api.http.queries.parameters import (
    Actor,
    AtMoment,
    EventTag,
    EventType,
    MinAmount,
    OfAccount,
    Period,
    said,
)
from api.http.queries.question import Answered, Asked, Question, not_before
from api.http.queries.statements import account_key
from api.http.schemas import AsOf
from domain.catalogue import Problem
from ledger.write.admission import invalid
from projections import queries
from projections.queries import JournalFilter, Span


class JournalLeg(BaseModel):
    """What an event did to an account, debit positive."""

    account: str
    asset: str
    amount: int


class JournalItem(BaseModel):
    """An event and its postings, which sum to zero for each asset."""

    position: int
    event_id: str
    type: str
    effective_on: str
    recorded_at: str
    actor: str
    postings: list[JournalLeg]


class GeneralJournal(AsOf):
    """A page of the journal."""

    from_: str | None = Field(alias="from")
    to: str | None
    items: list[JournalItem]
    next_cursor: str | None
    has_more: bool


def list_journal(
    asked: Asked,
    *,
    period: Period,
    moment: AtMoment,
    labels: Labels,
    page: Paged,
    account: OfAccount = None,
    type: EventType = None,  # noqa: A002  (the parameter is called so)
    tag: EventTag = None,
    actor: Actor = None,
    min_amount: MinAmount = 0,
) -> Answered:
    """Events with their postings, by the days on which they are effective and as known at a
    position or a time; those without postings are left out.

    `account` may be a class. `min_amount` is of one posting, of the account if one is given. What
    is asked for neither by an account nor by a tag is looked for in a bounded part of the log, so a
    page may be short while there is more.
    """
    if moment.effective_on is not None:
        raise invalid(Problem("/effective_on", "give a period, or from and to"))
    if account is not None:
        account_key(account, "")
    wanted = JournalFilter(
        account=account, tag=tag, type=type, actor=actor, min_amount=min_amount, labels=labels
    )
    days = asked.days(period)
    which = (asked.book.name, "journal", wanted, days, moment, page.order)
    reached, place = queries.known(asked.connection), None
    until = asked.until(moment)
    if page.after is not None:
        until, place = read_cursor(which, page.after, tuple[int, int])
    until = reached if until is None else until
    not_before(until, {"as_of_position": reached})
    newest = page.newest_first
    span = Span(
        days,
        after=0 if place is None or newest else place,
        until=until if place is None or not newest else place - 1,
    )
    items, last = queries.general_journal(
        asked.connection, wanted, span, newest_first=newest, limit=page.limit
    )
    return {
        **said(period, days),
        "items": items,
        "next_cursor": None if last is None else cursor_text(which, (until, last)),
        "has_more": last is not None,
        "as_of_position": until,
    }


QUESTIONS = (
    Question(
        "/journal",
        "The general journal",
        GeneralJournal,
        Readers("the journal"),
        list_journal,
    ),
)
