"""Folds a log from its beginning and asserts on the way what must be true of it.

An entry may agree with itself in every byte and still never have been decided: somebody wrote it
past the sequencer, or the sequencer was shown a state that was not so. So every event is held
against the states that the log alone makes: what must always hold (`invariants`), and what its
command decides on them (`decisions`).
"""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from datetime import date, datetime
from itertools import islice

from domain.accounts import Assets
from domain.command import COMMANDS
from domain.controls.periods import PERIODS, Periods
from domain.controls.policy_changes import PolicyPublished
from domain.wallets.wallet import Wallet
from ledger.books import Book
from ledger.postgres.database import Connection
from ledger.scheduling.agenda import SCHEDULER
from ledger.verification.decisions import BATCH_TIME_MAX, Decisions, Placed
from ledger.verification.difference import Difference, shown
from ledger.verification.invariants import Fault, lot_faults, state_faults
from ledger.verification.states import STATES_MAX, FoldedStates
from ledger.write.business_days import BusinessDays

#: What the scheduler sends, and nobody else may have sent without a key.
SCHEDULED = frozenset(
    {
        "change-tier", "expire-promo", "lapse-tokens", "mature-earnings", "meter-call",
        "release-hold", "request-payout", "void",
    }
)  # fmt: skip

#: No command of the scheduler makes more events; twice as many without a key wait at most.
SCHEDULED_EVENTS_MAX = 1_024

_WALLET = "wallet:"


class Fold:
    """One pass over a log, page by page.

    Decisions are compared after the position `decide_after`; what must always hold, everywhere.
    """

    def __init__(
        self,
        connection: Connection,
        book: Book,
        *,
        decide_after: int = 0,
        states_max: int = STATES_MAX,
    ) -> None:
        self._states = FoldedStates(connection, states_max=states_max)
        self._decisions = Decisions(book, self._states)
        self._decide_after = decide_after
        self._book = book
        self._assets = Assets.of(book.name, book.currency)
        self._days = BusinessDays(book.time_zone)
        self._group: deque[Placed] = deque()
        #: Events that were decided again.
        self.decided = 0

    def page(self, page: Sequence[Placed]) -> Iterator[Difference]:
        """What is wrong with these entries; those of a command that may go on wait for the next."""
        groups = _groups((*self._group, *page))
        self._group.clear()
        self._prefetch(groups)
        for group in groups[:-1]:
            yield from self._take(deque(group))
        if groups:
            self._group.extend(groups[-1])
            if not self._group[0].entry.key:
                yield from self._take(self._group, keep=SCHEDULED_EVENTS_MAX)

    def end(self) -> Iterator[Difference]:
        """What is wrong with the last entries."""
        yield from self._take(self._group)

    def _prefetch(self, groups: Sequence[Sequence[Placed]]) -> None:
        """Have at hand what the entries touch, but for what they themselves bring into being."""
        self._states.next_page()
        keys: dict[str, None] = {}
        for group in groups:
            new_id = group[0].entry.event_id
            for one in group:
                keys.update((tag, None) for tag in one.entry.tags if new_id not in tag)
        self._states.bring(keys)

    def _take(self, group: deque[Placed], *, keep: int = 0) -> Iterator[Difference]:
        """Decide these again, command by command, and let them happen."""
        while len(group) > keep:
            for _ in range((yield from self._decide(group))):
                yield from self._happen(group.popleft())

    def _decide(self, group: deque[Placed]) -> Generator[Difference, None, int]:
        """Decide the first command of these again; answers how many events are its own."""
        keyed = bool(group[0].entry.key)
        if group[0].position <= self._decide_after:
            return len(group) if keyed else 1
        decided = self._decisions.again(
            tuple(group if keyed else islice(group, SCHEDULED_EVENTS_MAX))
        )
        if decided is None:
            return len(group) if keyed else 1
        if decided.difference is None:
            self.decided += decided.events
            return decided.events
        yield decided.difference
        return len(group) if keyed else 1

    def _happen(self, placed: Placed) -> Iterator[Difference]:
        position, entry, event = placed
        for what, expected, found in self._placed_faults(placed):
            yield Difference(position, what, expected, shown(found))
        tags = dict.fromkeys(entry.tags)
        try:
            wallets = {
                tag[len(_WALLET) :]: wallet
                for tag in tags
                if tag.startswith(_WALLET) and isinstance(wallet := self._states[tag], Wallet)
            }
            faults = list(lot_faults(event, wallets))
            changes = list(self._states.apply(position, event, tags))
            faults += state_faults(changes, entry.postings, self._assets)
        except Exception as error:  # noqa: BLE001 -- what is damaged may raise anything
            faults = [("state", f"a state to which {entry.type} can happen", repr(error))]
        for what, expected, found in faults:
            yield Difference(position, what, expected, shown(found))

    def _placed_faults(self, placed: Placed) -> Iterator[Fault]:
        entry = placed.entry
        if entry.command not in COMMANDS:
            yield "command", "a command of the catalogue", entry.command
        if not entry.key:
            who = {entry.principal, entry.client}
            if entry.fingerprint or who != {SCHEDULER} or entry.command not in SCHEDULED:
                sent = f"{entry.command} of {entry.principal} for {entry.client}"
                yield "key", "the key of a request, or a command of the scheduler", sent
        elif SCHEDULER in (entry.principal, entry.client):
            yield "key", "none for a command of the scheduler", entry.key
        event = placed.event
        if isinstance(event, PolicyPublished) and event.version == 1:
            zone = event.body.get("time_zone")
            if zone != self._book.time_zone:  # a book is made in the zone of its first policy
                yield "time zone", f"{zone}, as the first policy", self._book.time_zone
        stated = event.stated_date()
        expected = stated or self._open(entry.occurred_at)
        if entry.effective_on != expected:
            before = stated or self._open(entry.occurred_at - BATCH_TIME_MAX)
            if entry.effective_on != before:
                yield "effective_on", str(expected), str(entry.effective_on)

    def _open(self, instant: datetime) -> date:
        """The business date of an instant, or the first open day if that is closed."""
        periods = self._states[PERIODS]
        assert isinstance(periods, Periods)
        return periods.open_day(self._days.of(instant))


def _groups(page: Sequence[Placed]) -> list[list[Placed]]:
    """Entries of one command each; of the scheduler, those of one kind of command in a row."""
    groups: list[list[Placed]] = []
    last = None
    for one in page:
        entry = one.entry
        mark = entry.key, entry.command
        if mark != last:
            groups.append([])
            last = mark
        groups[-1].append(one)
    return groups
