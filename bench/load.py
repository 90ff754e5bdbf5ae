"""The load that the benchmarks write: made anew from a seed, always the same.

50% tips, 40% unlocks, 10% purchases over warm wallets that never run dry, so that every command
is accepted and every figure counts effects, not refusals.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from ledger.write.admission import admit, read_fields
from ledger.write.request import Request
from ledger.write.writer import Writer

WALLETS = 20_000
CREATORS = 1_000
BATCH = 1_000

POLICY: dict[str, object] = {
    "profile": "micro-unlock",
    "currency": "USD",
    "time_zone": "UTC",
    "funding": ["TOKEN", "CARD"],
    "unit_value": 1,
    "revenue_share": {"default": 8000},
    "packages": {"large": {"tokens": 100_000, "bonus": 0, "price": 99_900}},
    "products_enabled": ["unlock", "message", "ticket", "tip", "call"],
    "price_bounds": {"unlock": {"min": 99, "max": 9999}},
    "tip_minimum": 1,
    "payout_minimum": 5000,
    "dispute_bearer": "CREATOR_PROPORTIONAL",
}


@dataclass(frozen=True)
class Sender:
    """Who the benchmark says it is."""

    role: str
    actor: str
    client: str = "bench"

    @property
    def is_person(self) -> bool:
        """The policy is published by people, everything else sent by a machine."""
        return self.role != "service"


SERVICE = Sender("service", "bench")


def publish_policy(writer: Writer, policy: dict[str, object]) -> None:
    """The book's first policy, by two people."""
    proposal = {"body": policy, "effective_from": "1970-01-01T00:00:00Z"}
    for role, name, fields in (
        ("admin", "propose-policy", proposal),
        ("approver", "approve-policy", {"version": 1}),
    ):
        request = admit(
            name, fields, Sender(role, role), idempotency_key=name, correlation_id="bench"
        )
        (answer,) = writer.write([request])
        assert answer.accepted, answer.body


@dataclass
class Load:
    """Lines of NDJSON, as a backend would send them."""

    seed: int
    wallets: int = WALLETS
    creators: int = CREATORS
    _serial: int = 0
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def purchases(self, first: int, count: int) -> list[bytes]:
        """One purchase for each of `count` wallets from number `first` on."""
        return [
            line(
                "record-purchase",
                user=f"user{n}",
                package="large",
                price=99_900,
                processor="stripe",
                processor_ref=f"first-{self.seed}-{n}",
            )
            for n in range(first, first + count)
        ]

    def verified(self) -> list[bytes]:
        """Every creator is verified: who may be called."""
        return [
            line("verify-creator", idempotency_key=f"v{n}", creator=f"creator{n}", verified=True)
            for n in range(self.creators)
        ]

    def calls(self, first: int, count: int) -> list[bytes]:
        """A call of each of `count` users from number `first` on, to the creators in turn."""
        return [
            line(
                "start-call",
                idempotency_key=f"c{n}",
                call=f"call{n}",
                user=f"user{n}",
                creator=f"creator{n % self.creators}",
                rate=60,
            )
            for n in range(first, first + count)
        ]

    def mixed(self, count: int = BATCH, wallets: Iterator[int] | None = None) -> list[bytes]:
        """`count` commands of the mix, over random wallets or those of `wallets`."""
        return [self._mixed(next(wallets) if wallets else None) for _ in range(count)]

    def _mixed(self, wallet: int | None) -> bytes:
        draw = self._random
        self._serial += 1
        serial = f"{self.seed}-{self._serial}"
        user = f"user{draw.randrange(self.wallets) if wallet is None else wallet}"
        creator = f"creator{draw.randrange(self.creators)}"
        kind = draw.random()
        if kind < 0.5:
            return line(
                "send-tip",
                idempotency_key=serial,
                user=user,
                creator=creator,
                funding="TOKEN",
                amount=draw.randrange(1, 50),
            )
        if kind < 0.9:
            return line(
                "unlock",
                idempotency_key=serial,
                user=user,
                creator=creator,
                item=f"item-{serial}",
                funding="TOKEN",
                price=draw.randrange(99, 200),
            )
        return line(
            "record-purchase",
            user=user,
            package="large",
            price=99_900,
            processor="stripe",
            processor_ref=f"ref-{serial}",
        )


def requests(lines: list[bytes]) -> list[Request]:
    """What the bulk edges make of NDJSON lines: decoded, validated, fingerprinted."""
    admitted = []
    for line in lines:
        fields = read_fields(line)
        admitted.append(
            admit(
                fields.pop("command"),
                fields,
                SERVICE,
                idempotency_key=fields.pop("idempotency_key", None),
                correlation_id="bench",
            )
        )
    return admitted


def line(command: str, **fields: object) -> bytes:
    """One command as a line of NDJSON."""
    return json.dumps({"command": command, **fields}).encode()
