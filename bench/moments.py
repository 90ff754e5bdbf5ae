"""What a balance of the past costs in a log of 1,000,000 events, over that in one of 10,000.

Both logs have a thousand events a day, so the long one is a hundred times as many days, and
accounts of the platform and of creators live a hundred times as long. One event in twenty is told
one to three days late. The logs are asked in turn, question by question, for a round trip to
PostgreSQL alone takes 0.02 ms or 0.05, by how the machine just schedules it. Each question is
asked twice: `…_growth` compares the second answers, for which the pages are in memory, and
`…_first_growth` the first ones.

`python -m bench.moments EVENTS` measures with a long log of another size.
"""

import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import chain, islice
from typing import Any, NamedTuple

from bench.load import BATCH, SERVICE, Load, publish_policy
from bench.load import POLICY as MIX
from bench.stage import Stage, stage
from ledger.books import SIMULATED, Book
from ledger.log.reading import position_at
from ledger.postgres.database import Connection
from ledger.simulation import SimulatedWriter, TimedRequest
from ledger.write.admission import admit, read_fields
from projections.queries import balance, trial_balance_by_class
from projections.rebuild import rebuild

EVENTS, SMALL_EVENTS = 1_000_000, 10_000
EVENTS_PER_WALLET = 20
CREATORS = 100
DAY_EVENTS = 1_000
LATE_EVERY, LATE_DAYS_MAX = 20, 3
BEGINS = datetime(2020, 1, 1, tzinfo=UTC)
ROUNDS, QUESTIONS, CLASS_QUESTIONS = 9, 200, 20

Ask = Callable[[Connection, "Question"], object]


class Question(NamedTuple):
    """An account in an asset, and the two moments."""

    account: str
    asset: str
    position: int
    day: date


def measure(stage: Stage, events: int = EVENTS) -> dict[str, float]:
    """Medians of rounds, the first of which warms up."""
    near, far = (_told(stage, count) for count in (SMALL_EVENTS, events))
    figures: dict[str, float] = {}
    with stage.connect(near) as short, stage.connect(far) as long:
        _check_late(long)
        for name, ask, count in (
            ("balance_as_of", _as_of, QUESTIONS),
            ("bitemporal", _as_known, QUESTIONS),
            ("class_bitemporal", _class_as_known, CLASS_QUESTIONS),
        ):
            rounds = [_asked(short, long, ask, seed, count) for seed in range(ROUNDS + 1)]
            for which, costs in zip(("_first", ""), zip(*rounds[1:], strict=True), strict=True):
                ratios = [far_ms / near_ms for near_ms, far_ms in costs]
                figures[f"{name}{which}_growth"] = statistics.median(ratios)
                figures[f"{name}{which}_ms"] = statistics.median(far_ms for _, far_ms in costs)
    return figures


def _told(stage: Stage, events: int) -> Book:
    """A book of so many events, with the read models that answer balances."""
    book = stage.book(f"{SIMULATED}{events}", policy=None, simulated=True)
    opened = partial(stage.connect, book)
    writer = SimulatedWriter(book, opened, seed="moments", begins=BEGINS).start()
    try:
        publish_policy(writer, MIX)
        requests = _requests(events)
        while batch := list(islice(requests, BATCH)):
            assert {answer.status for answer in writer.write(batch)} == {201}
    finally:
        writer.stop()
    rebuild(stage.database, book, {"journal", "account_classes"})
    return book


def _requests(events: int) -> Iterator[TimedRequest]:
    """A purchase for every wallet, then the mix; each at its time, some told late."""
    load = Load(seed=13, wallets=events // EVENTS_PER_WALLET, creators=CREATORS)
    mixed = (text for _ in range(load.wallets, events, BATCH) for text in load.mixed())
    lines = chain(load.purchases(0, load.wallets), mixed)
    late = random.Random(13)
    for number, text in enumerate(lines):
        at = BEGINS + number * (timedelta(days=1) / DAY_EVENTS)
        fields = read_fields(text)
        if number % LATE_EVERY == 0:
            then = at - timedelta(days=late.randint(1, LATE_DAYS_MAX))
            fields["occurred_at"] = then.isoformat().replace("+00:00", "Z")
        request = admit(
            fields.pop("command"),
            fields,
            SERVICE,
            idempotency_key=fields.pop("idempotency_key", None),
            correlation_id="bench",
        )
        yield TimedRequest.of(request, at)


def _questions(connection: Connection, seed: int, count: int) -> list[Question]:
    """Half about accounts that live as long as the log; each known up to four days after its day,
    when the last late facts of it are told."""
    draw = random.Random(seed)
    lived = _accounts(connection, "account !~ '^w[.]'")
    of_wallets = _accounts(connection, "account ~ '^w[.]'")
    last = connection.execute("SELECT max(effective_on) FROM account_days").fetchone()
    assert last is not None
    days = (last[0] - BEGINS.date()).days
    asked = []
    for number in range(count):
        account, asset = draw.choice((lived, of_wallets)[number % 2])
        after = draw.randrange(days)
        known = BEGINS + timedelta(days=after + 4 * draw.random())
        day = BEGINS.date() + timedelta(days=after)
        asked.append(Question(account, asset, position_at(connection, known), day))
    return asked


def _accounts(connection: Connection, which: str) -> Sequence[tuple[str, str]]:
    query = f"SELECT account, asset FROM accounts WHERE {which} ORDER BY account, asset"
    return connection.execute(query.encode()).fetchall()


def _asked(
    short: Connection, long: Connection, ask: Ask, seed: int, count: int
) -> list[tuple[float, float]]:
    """Medians in milliseconds of the first answers of both logs, and of the second ones."""
    pairs = list(zip(*(_questions(log, seed, count) for log in (short, long)), strict=True))
    medians = []
    for _ in range(2):
        took = [(_seconds(short, ask, near), _seconds(long, ask, far)) for near, far in pairs]
        near_ms, far_ms = (statistics.median(each) * 1_000 for each in zip(*took, strict=True))
        medians.append((near_ms, far_ms))
    return medians


def _seconds(connection: Connection, ask: Ask, question: Question) -> float:
    began = time.perf_counter()
    ask(connection, question)
    return time.perf_counter() - began


def _as_of(connection: Connection, asked: Question) -> dict[str, Any]:
    return balance(connection, asked.account, asked.asset, position=asked.position)


def _as_known(connection: Connection, asked: Question) -> dict[str, Any]:
    return balance(
        connection, asked.account, asked.asset, position=asked.position, effective_on=asked.day
    )


def _class_as_known(connection: Connection, asked: Question) -> dict[str, Any]:
    return trial_balance_by_class(connection, position=asked.position, effective_on=asked.day)


def _check_late(connection: Connection) -> None:
    """Late facts are part of what is asked: an event in twenty has late lines."""
    found = connection.execute(
        "SELECT count(DISTINCT l.position), max(j.position) FROM late_lines l, "
        "(SELECT max(position) AS position FROM accounts) j"
    ).fetchone()
    assert found is not None
    assert found[0] >= 0.9 * found[1] / LATE_EVERY, found


if __name__ == "__main__":
    with stage() as place:
        for row, value in measure(place, int(sys.argv[1])).items():
            print(f"{row:24} {value:,.3f}")
