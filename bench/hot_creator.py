"""`payout_hot`: what a payout costs a creator with 1,000,000 sales, over one with ten.

Payouts are requested and rejected again one after another, because a creator has one at a time.
Every segment begins with a writer that knows nothing, so that finding the creator's state counts.
"""

import json
import statistics
import time
from collections.abc import Iterator

from bench.bulk import drive
from bench.load import BATCH, WALLETS, Load, Sender, line
from bench.stage import Stage
from ledger.books import Book
from ledger.write.admission import admit
from ledger.write.answer import Answer
from ledger.write.writer import Writer

SALES = 1_000_000
FEW_SALES = 10
#: Ten of them are enough for a payout.
TIP = 1_000
CYCLES = 100
ROUNDS = 12
HOT, CALM = "hot", "calm"
FINANCE = Sender("finance", "fiona")
APPROVER = Sender("approver", "albert")


def measure(stage: Stage) -> dict[str, float]:
    """Segments of both creators in turn."""
    book = stage.book("payouts")
    with stage.writer(book) as writer:
        drive(writer, _sold())
        for creator in (HOT, CALM):
            fields = {"creator": creator, "payouts_enabled": True}
            _send(writer, FINANCE, "set-payout-account", f"account-{creator}", fields)
    ratios, hot_s = [], 0.0
    for round_no in range(ROUNDS + 1):
        order = (HOT, CALM) if round_no % 2 else (CALM, HOT)
        took = {creator: _segment(stage, book, creator, round_no) for creator in order}
        if round_no:  # the first one warms up
            ratios.append(took[HOT] / took[CALM])
            hot_s += took[HOT]
    return {
        "payout_hot": statistics.median(ratios),
        "payout_ms": hot_s / ROUNDS / CYCLES * 1_000,
    }


def _sold() -> Iterator[list[bytes]]:
    """Fans with tokens, and tips for the two creators."""
    load = Load(seed=9)
    for first in range(0, WALLETS, BATCH):
        yield load.purchases(first, BATCH)
    yield [_tip(CALM, n) for n in range(FEW_SALES)]
    for first in range(0, SALES, BATCH):
        yield [_tip(HOT, n) for n in range(first, first + BATCH)]


def _tip(creator: str, n: int) -> bytes:
    return line(
        "send-tip",
        idempotency_key=f"{creator}-{n}",
        user=f"user{n % WALLETS}",
        creator=creator,
        funding="TOKEN",
        amount=TIP,
    )


def _segment(stage: Stage, book: Book, creator: str, round_no: int) -> float:
    """Seconds that it takes to request payouts and to reject them."""
    with stage.writer(book) as writer:
        began = time.perf_counter()
        for n in range(CYCLES):
            key = f"{creator}-{round_no}-{n}"
            fields = {"creator": creator, "amount": 5_000}
            requested = _send(writer, FINANCE, "request-payout", key, fields)
            payout = json.loads(requested.events[-1].body)["payout_id"]
            fields = {"payout": payout, "reason_code": "AGAIN"}
            _send(writer, APPROVER, "reject-payout", key, fields)
        return time.perf_counter() - began


def _send(writer: Writer, sender: Sender, name: str, key: str, fields: dict[str, object]) -> Answer:
    request = admit(name, fields, sender, idempotency_key=key, correlation_id="bench")
    (answer,) = writer.write([request])
    assert answer.accepted, answer.body
    return answer
