"""The platform of a simulated year: who there is on it, what they did lately, and what they send.

Everything is drawn from one seed. The plan keeps only what it needs to stay plausible, such as
which payments there were that could be refunded; what really happens the ledger decides, and the
answers tell the plan.
"""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Any

from api.simulation.day_plan import HOURS
from domain.policy import Policy
from ledger.api_keys import Identity, Kind, Role
from ledger.write.answer import Answer

#: How busy the days of a week are, from Monday on.
WEEK = (0.85, 0.8, 0.9, 0.95, 1.2, 1.4, 1.25)
#: How much of what a day ends with there is on the first day of the year.
FIRST_SHARE = 0.35
RECENT = 400
#: What every offer takes off the price.
OFFERED_BPS = 1_500

BACKEND = Identity(Role.SERVICE, "backend", "backend", "", Kind.MACHINE)
FINANCE = Identity(Role.FINANCE, "ada", "office", "", Kind.PERSON)
APPROVER = Identity(Role.APPROVER, "grace", "office", "", Kind.PERSON)
ADMIN = Identity(Role.ADMIN, "edsger", "office", "", Kind.PERSON)
MODERATOR = Identity(Role.MODERATOR, "barbara", "office", "", Kind.PERSON)

Then = Callable[[Answer], None]


@dataclass(frozen=True, slots=True)
class Act:
    """One command that somebody sends at some time; `then` is told what it was answered."""

    at: datetime
    command: str
    fields: dict[str, Any]
    by: Identity = BACKEND
    then: Then | None = None
    labels: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Extent:
    """How big the platform is at its end, and which time is simulated."""

    fans: int
    begins: datetime
    ends: datetime

    @property
    def creators(self) -> int:
        """Some have fans, most have few."""
        return max(4, self.fans // 8)


@dataclass(slots=True)
class Card:
    """A payment by card, as the platform remembers it; `sale` once the ledger has named it."""

    ref: str
    processor: str
    amount: int
    at: datetime
    what: str
    user: str
    sale: str = ""
    gone: bool = False


@dataclass(slots=True)
class Platform:
    """Draws from the seed, and collects what is to be sent."""

    policy: Policy
    extent: Extent
    seed: int
    send: Callable[[Act], None]
    draw: random.Random = field(init=False)
    cards: deque[Card] = field(default_factory=lambda: deque(maxlen=RECENT))
    #: Sales in tokens: (sale, tokens).
    token_sales: deque[tuple[str, int]] = field(default_factory=lambda: deque(maxlen=RECENT))
    #: Lines that the next settlement file of a processor will have.
    lines: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    earned: dict[str, int] = field(default_factory=dict)
    offers: list[tuple[str, tuple[str, ...], datetime]] = field(default_factory=list)
    _numbers: int = 0
    _later: list[tuple[datetime, int, Callable[[], None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.draw = random.Random(f"year {self.policy.profile} {self.seed}")

    def act(
        self,
        at: datetime,
        command: str,
        fields: dict[str, Any],
        *,
        by: Identity = BACKEND,
        then: Then | None = None,
        labels: dict[str, str] | None = None,
    ) -> None:
        """Let `by` send a command at `at`."""
        self.send(Act(at, command, fields, by, then, labels))

    def later(self, at: datetime, plan: Callable[[], None]) -> None:
        """Go on planning on the day of `at`."""
        heappush(self._later, (at, self.number(), plan))

    def go_on(self, until: datetime) -> None:
        """Plan what was put off to before `until`."""
        while self._later and self._later[0][0] < until:
            heappop(self._later)[2]()

    def share(self, at: datetime) -> float:
        """How much of the platform there is at `at`: it grows all the time."""
        passed = (at - self.extent.begins) / (self.extent.ends - self.extent.begins)
        return FIRST_SHARE + (1 - FIRST_SHARE) * passed

    def instants(self, day: datetime, count: float) -> list[datetime]:
        """About `count` instants of the day, most of them in the evening."""
        whole = int(count) + (self.draw.random() < count % 1)
        hours = self.draw.choices(range(24), HOURS, k=whole)
        return sorted(day + timedelta(hours=hour + self.draw.random()) for hour in hours)

    def fan(self, at: datetime) -> str:
        """Somebody who has joined by then; a few do most."""
        joined = max(3, int(self.extent.fans * self.share(at)))
        return f"fan-{int(joined * self.draw.random() ** 1.6)}"

    def creator(self, at: datetime) -> str:
        """A creator who has joined by then; a few are famous."""
        joined = max(3, int(self.extent.creators * self.share(at)))
        return f"creator-{int(joined * self.draw.random() ** 1.8)}"

    def number(self) -> int:
        """The next number; it names what has no other name."""
        self._numbers += 1
        return self._numbers

    def chance(self, share: float) -> bool:
        """Whether something happens that happens so often."""
        return self.draw.random() < share

    def hours(self, low: float, high: float) -> timedelta:
        """Some time between so many hours."""
        return timedelta(hours=self.draw.uniform(low, high))

    def line(self, processor: str, kind: str, ref: str, gross: int, at: datetime) -> None:
        """A movement for the processor's next settlement file; it keeps its fee."""
        fee = gross * 29 // 1000 + 30 if kind == "PAYMENT" else 0
        self.lines.setdefault(processor, []).append(
            {
                "line_ref": f"ln-{self.number()}",
                "kind": kind,
                "processor_ref": ref,
                "gross": gross,
                "fee": fee,
                "value_date": f"{at:%Y-%m-%d}",
            }
        )


def text(at: datetime) -> str:
    """An instant as clients send it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def made(answer: Answer) -> str | None:
    """The id of what an accepted command has made."""
    return answer.events[0].event_id if answer.status == 201 and answer.events else None
