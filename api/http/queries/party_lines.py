"""Pages of a party's statement, pinned to the position that the first one was read at."""

from collections.abc import Callable

from api.http.queries.listing import Page, cursor_text, listed, read_cursor
from api.http.queries.parameters import PeriodAsked
from api.http.queries.question import Answered, Asked
from ledger.postgres.database import Connection
from projections import queries
from projections.queries import LinePlace, LinesAsked, PartyLines


def read_lines(
    asked: Asked,
    statement: Callable[[Connection, str, LinesAsked], PartyLines],
    party: str,
    period: PeriodAsked,
    page: Page,
) -> Answered:
    """A page of the lines that were recorded in the period."""
    which = (asked.book.name, statement.__name__, party, period, page.order)
    after = None
    if page.after is None:
        first, last = asked.positions(period, queries.journal_position(asked.connection))
    else:
        first, last, after = read_cursor(which, page.after, tuple[int, int, LinePlace])
    lines = LinesAsked(page.limit + 1, first, last, after, page.newest_first)
    found = statement(asked.connection, party, lines)
    answered = listed(found.items, page.limit, found.as_of_position)
    if answered["has_more"]:
        answered["next_cursor"] = cursor_text(which, (first, last, found.places[page.limit - 1]))
    return answered
