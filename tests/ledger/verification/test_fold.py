"""The fold that decides again: within a bound of memory, over commands it knows and tells apart."""

import msgspec
import pytest

from domain.agenda import AgendaEvent
from domain.command import COMMANDS
from domain.disputes.dispute import DisputeLost, DisputeOpened
from domain.refunds.payment_failure import SalePaymentFailed
from domain.refunds.refund import RefundRecorded
from domain.refunds.refund_reversed import RefundReversed
from domain.settlements.breaks import BreakAssigned, BreakResolved
from domain.settlements.lines import BreakOpened
from domain.subscriptions.subscription import PeriodFailed
from ledger.books import create_book
from ledger.log.entry import body_of, decode
from ledger.postgres.database import Database
from ledger.verification import log
from ledger.verification.decisions import Placed
from ledger.verification.difference import Difference
from ledger.verification.fold import SCHEDULED, Fold
from ledger.verification.log import verify_log
from ledger.verification.reports import REPORTS
from ledger.verification.retelling import SALES, TELLERS, TOLD
from tests.conftest import FreshBook, new_name
from tests.golden.history import play
from tests.scenarios.write_path import WritePath

#: Events that do not tell their command: `docs/verify.md` says why.
UNTOLD = {"refund.ignored.v1"}


@pytest.fixture(scope="module")
def played(database: Database) -> WritePath:
    """A book in which each type of event happened."""
    book = create_book(database.admin_url, new_name("Folded"), currency="USD", time_zone="UTC")
    stage = WritePath(FreshBook(book, database.service_url, database.admin_url))
    play(stage)
    stage.close()
    return stage


def placed(stage: WritePath) -> list[Placed]:
    """The log, decoded."""
    found = [(position, decode(data)) for position, data in stage.rows()]
    return [Placed(position, entry, entry.event()) for position, entry in found]


def folded(stage: WritePath, *, page: int, states_max: int) -> tuple[Fold, list[Difference]]:
    """One pass in pages of so many entries, with so many states in memory."""
    entries = placed(stage)
    with stage.fresh.connect(autocommit=True) as connection:
        fold = Fold(connection, stage.book, states_max=states_max)
        found = [
            difference
            for first in range(0, len(entries), page)
            for difference in fold.page(entries[first : first + page])
        ]
        return fold, [*found, *fold.end()]


def test_every_command_is_told() -> None:
    told = [*TOLD, *TELLERS, *SALES, *REPORTS]
    assert sorted(told) == sorted(COMMANDS)


def test_the_scheduler_sends_what_the_agenda_names(played: WritePath) -> None:
    events = [one.event for one in placed(played) if isinstance(one.event, AgendaEvent)]
    dues = [due for event in events for _, due in event.agenda_items() if due is not None]
    assert len(dues) > len(SCHEDULED)
    assert {due.command for due in dues} <= SCHEDULED


@pytest.mark.parametrize(("page", "states_max"), [(1, 2), (7, 8), (5_000, 100_000)])
def test_pages_and_memory_change_nothing(played: WritePath, page: int, states_max: int) -> None:
    fold, found = folded(played, page=page, states_max=states_max)
    assert found == []
    told = [one for one in placed(played) if one.entry.type not in UNTOLD]
    assert fold.decided == len(told)


#: Of each report, an event and a field of it that nothing but the decision knows.
ALTERED = {
    "assign-break": (BreakAssigned, "owner", ""),
    "close-dispute": (DisputeLost, "bearer", "SOMEBODY"),
    "fail-payment": (SalePaymentFailed, "revoked", ("nothing",)),
    "fail-period": (PeriodFailed, "creator", "somebody"),
    "fail-refund": (RefundReversed, "cumulative", 1),
    "import-settlement": (BreakOpened, "difference", 77),
    "open-dispute": (DisputeOpened, "fee_refundable", True),
    "record-refund": (RefundRecorded, "reason", "WHIM"),
    "resolve-break": (BreakResolved, "difference", 77),
}  # fmt: skip


@pytest.mark.parametrize("command", ALTERED)
def test_what_a_report_did_not_come_to_is_found(played: WritePath, command: str) -> None:
    kind, field, value = ALTERED[command]
    entries = placed(played)
    nth, one = next(
        (nth, one)
        for nth, one in enumerate(entries)
        if one.entry.command == command and type(one.event) is kind
    )
    assert getattr(one.event, field) != value
    event = msgspec.structs.replace(one.event, **{field: value})
    entry = msgspec.structs.replace(one.entry, body=msgspec.Raw(body_of(event)))
    entries[nth] = Placed(one.position, entry, event)
    with played.fresh.connect(autocommit=True) as connection:
        fold = Fold(connection, played.book)
        found = [*fold.page(entries), *fold.end()]
    assert (one.position, f"decision on {command}") in {
        (each.position, each.what) for each in found
    }


def test_decisions_are_left_alone_up_to_a_position(played: WritePath) -> None:
    entries = placed(played)
    with played.fresh.connect(autocommit=True) as connection:
        fold = Fold(connection, played.book, decide_after=entries[-1].position)
        assert [*fold.page(entries), *fold.end()] == []
    assert fold.decided == 0


def test_progress_is_told_page_by_page(played: WritePath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "PAGE", 10)
    seen: list[tuple[int, int]] = []
    with played.fresh.connect(autocommit=True) as connection:
        progress = lambda done, total: seen.append((done, total))  # noqa: E731
        assert not [*verify_log(connection, played.book, progress=progress)]
    head = len(played.rows())
    assert seen[-1] == (head, head)
    assert len(seen) == -(-head // 10)
