"""A fan and a creator who talk, on a fixed clock."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from domain.calls.call import CallBlockCharged, CallEnded
from domain.creators.creator import Creator
from domain.event import Event
from domain.wallets.wallet import Wallet
from tests.domain.in_memory_book import NOW, InMemoryBook
from tests.scenarios.policies import LIVE_CALL

SEND = {"reason_code": "X"}


class Calls(InMemoryBook):
    """A book with a verified creator, a fan, and a clock in seconds since the call began."""

    def __init__(self, tokens: int = 1_000, **policy: Any) -> None:
        super().__init__({**LIVE_CALL, **policy})
        self.happens("verify-creator", creator="carl", verified=True)
        if tokens:
            self.happens("grant-promo", user="ann", tokens=tokens, **SEND)

    def at(self, seconds: float) -> "Calls":
        self.now = NOW + timedelta(seconds=seconds)
        return self

    def start(self, rate: int = 60, call: str = "c1", **more: Any) -> Any:
        fields = {"call": call, "user": "ann", "creator": "carl", "rate": rate, **more}
        return self.happens("start-call", **fields)[0]

    def meter(self, call: str = "c1", **more: Any) -> tuple[Event, ...]:
        return self.happens("meter-call", call=call, **more)

    def do(self, turn: str, call: str = "c1") -> tuple[Event, ...]:
        return self.happens(f"{turn}-call", call=call)

    @property
    def blocks(self) -> list[CallBlockCharged]:
        return [event for event in self.history if isinstance(event, CallBlockCharged)]

    @property
    def wallet(self) -> Wallet:
        found = self.states["wallet:ann"]
        assert isinstance(found, Wallet)
        return found

    @property
    def creator(self) -> Creator:
        found = self.states["creator:carl"]
        assert isinstance(found, Creator)
        return found


def start(**more: Any) -> dict[str, Any]:
    return {"call": "c1", "user": "ann", "creator": "carl", "rate": 25, **more}


def names(events: Iterable[Event]) -> list[str]:
    return [event.type for event in events]


def ended(events: tuple[Event, ...]) -> tuple[str | None, float]:
    last = events[-1]
    assert isinstance(last, CallEnded)
    return last.reason, (last.at - NOW).total_seconds()
