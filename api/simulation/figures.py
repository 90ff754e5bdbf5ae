"""What the demo shows after its day: every figure asked over HTTP, as finance staff would ask it.

Nothing is counted by the demo itself. Tokens, liability and the proof that everything sums to
zero come from the trial balance; people from their own routes; lag from the health page.
"""

import asyncio
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec

from api.simulation.driver import SimulationFailed
from api.simulation.http_client import Wire
from domain.accounts import class_of

#: How long the read models have to come to the head once the day is over.
CAUGHT_UP_WITHIN_S = 60.0
LOOK_EVERY_S = 0.1


class _Row(msgspec.Struct):
    account: str
    asset: str
    debit: int = 0
    credit: int = 0


class _Total(msgspec.Struct):
    asset: str
    debit: int
    credit: int


class _TrialBalance(msgspec.Struct):
    """The answer of the trial balance's route."""

    rows: list[_Row]
    totals: list[_Total]
    as_of_position: int

    def balance(self, account: str, asset: str) -> int:
        """One account's net balance, debit positive."""
        return sum(
            row.debit - row.credit
            for row in self.rows
            if row.account == account and row.asset == asset
        )

    def kinds(self) -> list[tuple[str, str, int, int, int]]:
        """(accounts as a pattern, asset, how many, debit, credit), parties taken together."""
        counted: Counter[tuple[str, str]] = Counter()
        debits: Counter[tuple[str, str]] = Counter()
        credits: Counter[tuple[str, str]] = Counter()
        for row in self.rows:
            kind = class_of(row.account), row.asset
            counted[kind] += 1
            debits[kind] += row.debit
            credits[kind] += row.credit
        return [(*kind, counted[kind], debits[kind], credits[kind]) for kind in sorted(counted)]

    def largest(self, kind: str, asset: str, count: int) -> list[str]:
        """The parties with the largest balances, like the creators with most available."""
        pattern = re.compile(kind)
        found: Counter[str] = Counter()
        for row in self.rows:
            match = pattern.fullmatch(row.account)
            if match and row.asset == asset:
                found[match[1]] += row.debit + row.credit
        return [party for party, _ in found.most_common(count)]


@dataclass(slots=True)
class Picture:
    """The figures of a book after its day."""

    book: str
    trial_balance: _TrialBalance
    wallets: list[dict[str, Any]] = field(default_factory=list)
    creators: list[dict[str, Any]] = field(default_factory=list)
    consistency: dict[str, Any] = field(default_factory=dict)
    head: int = 0
    projections: list[dict[str, Any]] = field(default_factory=list)

    @property
    def caught_up(self) -> bool:
        """Whether every read model stands at the head of the log."""
        return all(projection["position"] == self.head for projection in self.projections)


async def picture(wire: Wire, book: str, currency: str, *, position: int) -> Picture:
    """Ask for everything, as of `position` or later; raises SimulationFailed."""
    base = f"/v1/books/{book}"
    balance = await _asked(wire, f"{base}/trial-balance?min_position={position}")
    seen = Picture(book, msgspec.convert(balance, _TrialBalance))
    for creator in seen.trial_balance.largest(r"cr\.(.+)\.available", currency, 8):
        path = f"{base}/creators/{creator}/earnings?min_position={position}"
        seen.creators.append(await _asked(wire, path))
    for user in seen.trial_balance.largest(r"w\.(.+)\.free", f"{book}.PAID", 6):
        seen.wallets.append(await _asked(wire, f"{base}/wallets/{user}?min_position={position}"))
    seen.consistency = await _asked(wire, f"{base}/consistency?min_position={position}")
    give_up_at = time.monotonic() + CAUGHT_UP_WITHIN_S
    while True:
        health = (await _asked(wire, "/health/ready"))["books"][book]
        seen.head, seen.projections = health["head"], health["projections"]
        if seen.caught_up or time.monotonic() > give_up_at:
            return seen
        await asyncio.sleep(LOOK_EVERY_S)  # they live in another process, which signals nothing


async def _asked(wire: Wire, path: str) -> Any:
    reply = await wire.get(path)
    if reply.status != 200:
        raise SimulationFailed(f"{path} was answered {reply.status}: {reply.body.decode()}")
    return msgspec.json.decode(reply.body)
