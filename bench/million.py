"""`million_hold_ms`: how long until a hold of 1,000,000 credits is accepted.

The wallet's credits come from 100 purchases, so that a hold takes from 100 lots. Its batches of
5,000 are settled one by one, as a campaign reports them, and each must be accepted.
"""

import json
import statistics
import time

from bench.bulk import drive
from bench.load import SERVICE, line
from bench.stage import Stage
from ledger.write.admission import admit
from ledger.write.answer import Answer
from ledger.write.writer import Writer

MESSAGES = 1_000_000
PURCHASES = 100
BATCH_SIZE = 5_000
ROUNDS = 9
POLICY: dict[str, object] = {
    "profile": "prepaid-credits",
    "currency": "USD",
    "time_zone": "UTC",
    "funding": ["TOKEN"],
    "revenue_share": {"default": 0},
    "packages": {"part": {"tokens": MESSAGES // PURCHASES, "price": 80_000}},
    "products_enabled": ["hold"],
    "payout_minimum": None,
    "dispute_bearer": "PLATFORM",
}


def measure(stage: Stage) -> dict[str, float]:
    """Medians over several tenants, the first of whom warms up."""
    book = stage.book("million", policy=POLICY)
    holds, batches = [], []
    with stage.writer(book) as writer:
        for tenant in (f"tenant{n}" for n in range(ROUNDS + 1)):
            drive(writer, iter([_purchases(tenant)]))
            hold, took = _timed(writer, "hold-credits", tenant, user=tenant, tokens=MESSAGES)
            hold_id = json.loads(hold.body)["events"][0]["body"]["hold_id"]
            holds.append(took)
            for number in range(1, MESSAGES // BATCH_SIZE + 1):
                fields = {"hold": hold_id, "batch_no": number, "used": BATCH_SIZE}
                key = f"{tenant}-{number}"
                batches.append(_timed(writer, "settle-batch", key, **fields)[1])
    return {
        "million_hold_ms": statistics.median(holds[1:]) * 1_000,
        "million_batch_ms": statistics.median(batches[len(batches) // (ROUNDS + 1) :]) * 1_000,
    }


def _purchases(tenant: str) -> list[bytes]:
    return [
        line(
            "record-purchase",
            user=tenant,
            package="part",
            price=80_000,
            processor="bench",
            processor_ref=f"{tenant}-{n}",
        )
        for n in range(PURCHASES)
    ]


def _timed(writer: Writer, name: str, key: str, **fields: object) -> tuple[Answer, float]:
    """The answer to a command, and the seconds from its fields to the answer."""
    began = time.perf_counter()
    request = admit(name, fields, SERVICE, idempotency_key=f"{name}-{key}", correlation_id="bench")
    (answer,) = writer.write([request])
    took = time.perf_counter() - began
    assert answer.accepted, answer.body
    return answer, took
