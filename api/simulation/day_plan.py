"""A day of a platform as a plan: who sends which command when, all of it decided by a seed.

Made to be like the real thing in what matters to a ledger: a few creators get most of the money,
fans buy tokens when they run out (or try without), the same content is bought twice, processors
deliver their notices again, backends retry, and now and then somebody sends nonsense. The plan
keeps a rough wallet for everybody to stay plausible; what really happens the ledger decides.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from api.simulation.zipf import Zipf
from domain.policy import Bounds, Package, Policy

#: Commands per hour of the day, in proportion: quiet at dawn, busiest at nine in the evening.
HOURS = (9, 6, 4, 3, 2, 2, 3, 5, 7, 8, 9, 10, 12, 12, 11, 11, 12, 14, 17, 21, 25, 26, 21, 14)
SOURCES = ("discovery", "direct", "messages", "offers")
ITEMS_PER_CREATOR = 60
_USUAL = Bounds(min=50, max=2_000)
TIPS = (5, 10, 10, 20, 20, 50, 50, 100, 250, 1_000)


class UnfitPolicy(Exception):
    """No day can be simulated under this policy; the message says what it lacks."""


@dataclass(frozen=True, slots=True)
class Step:
    """One command to send. `user` decides whose steps keep their order; `again`: a repetition."""

    user: int
    command: str
    fields: dict[str, Any]
    key: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Size:
    """How big the platform is."""

    users: int = 3_000
    creators: int = 300
    commands: int = 30_000


@dataclass(slots=True)
class _Fan:
    """What the plan believes of a user: tokens, items, steps that will be repeated."""

    tokens: int = 0
    items: set[str] = field(default_factory=set)
    frozen: bool = False


class Day:
    """The plan of one day, from midnight on, under a policy."""

    def __init__(self, policy: Policy, size: Size, *, seed: int, midnight: datetime) -> None:
        if "TOKEN" not in policy.funding or not policy.packages:
            raise UnfitPolicy("the policy must allow TOKEN funding and sell token packages")
        self._policy = policy
        self._bounds = {str(name): bounds for name, bounds in policy.price_bounds.items()}
        self._size = size
        self._name = f"{seed}-{midnight:%Y%m%d}"
        self._midnight = midnight
        self._draw = random.Random(f"day {seed}")
        self._packages = sorted(policy.packages.items(), key=lambda item: item[1].price)
        self._fans = [_Fan() for _ in range(size.users)]
        self._by_activity = Zipf(size.users, 0.6)
        self._by_fame = Zipf(size.creators, 1.0)
        self._by_charm = Zipf(ITEMS_PER_CREATOR, 0.7)
        self._numbers = 0

    def steps(self) -> Iterator[Step]:
        """The commands in the order of the day, repetitions included: `commands` of them."""
        draw = self._draw
        made = 0
        recent: list[Step] = []
        for at in self._instants():
            for step in self._scene(at):
                if made >= self._size.commands:
                    return
                made += 1
                yield step
                # Processors repeat notices more often than backends retry requests.
                if draw.random() < (0.06 if step.command == "record-purchase" else 0.02):
                    recent.append(step)
            if recent and made < self._size.commands and draw.random() < 0.3:
                made += 1
                first = recent.pop(draw.randrange(len(recent)))
                yield Step(first.user, first.command, first.fields, first.key, again=True)

    def _instants(self) -> Iterator[datetime]:
        """More instants than needed, in order: every scene has one step at least."""
        counts = [0] * 24
        for hour in self._draw.choices(range(24), HOURS, k=self._size.commands):
            counts[hour] += 1
        for hour, count in enumerate(counts):
            for second in sorted(self._draw.random() for _ in range(count)):
                yield self._midnight + timedelta(hours=hour + second)

    def _scene(self, at: datetime) -> Iterator[Step]:
        """What one fan does at one moment."""
        draw = self._draw
        user = self._by_activity.draw(draw)
        creator = self._by_fame.draw(draw)
        chance = draw.random()
        if chance < 0.07:
            yield self._purchase(user, at)
        elif chance < 0.09:
            yield from self._mishap(user, creator, at)
        elif chance < 0.52 and "tip" in self._policy.products_enabled:
            yield from self._tip(user, creator, at)
        else:
            yield from self._item(user, creator, at)

    def _tip(self, user: int, creator: int, at: datetime) -> Iterator[Step]:
        unit_value = self._policy.unit_value or 1
        least = -(-(self._policy.tip_minimum or 1) // unit_value)
        amount = max(least, self._draw.choice(TIPS))
        yield from self._afford(user, amount, at)
        fields = {"creator": f"creator-{creator}", "funding": "TOKEN", "amount": amount}
        yield self._step(user, "send-tip", at, fields)

    def _item(self, user: int, creator: int, at: datetime) -> Iterator[Step]:
        """Content, a message or a ticket; seldom one that the fan has already."""
        draw, fan = self._draw, self._fans[user]
        command, product = draw.choices(
            (("unlock", "unlock"), ("unlock-message", "message"), ("buy-ticket", "ticket")),
            (78, 13, 9),
        )[0]
        if product not in self._policy.products_enabled:
            yield self._purchase(user, at)
            return
        number = self._by_charm.draw(draw)
        item = f"{product}-{creator}-{number}"
        if item in fan.items and draw.random() < 0.7:
            number = ITEMS_PER_CREATOR + self._next()  # something of today's
            item = f"{product}-{creator}-{number}"
        price = self._price(product, creator * 31 + number)
        fields: dict[str, Any] = {
            "creator": f"creator-{creator}",
            "item": item,
            "attribution": {"source": draw.choice(SOURCES)},
        }
        if price and draw.random() < 0.06 and "CARD" in self._policy.funding:
            minor = price * (self._policy.unit_value or 1)
            yield self._notice(user, command, at, {**fields, "funding": "CARD", "price": minor})
            return
        yield from self._afford(user, 0 if item in fan.items else price, at)
        fan.items.add(item)
        paid = {**fields, "funding": "TOKEN", "price": price}
        yield self._step(user, command, at, paid)
        if draw.random() < 0.015:  # a double click that reached the backend as two requests
            yield self._step(user, command, at, paid)

    def _price(self, product: str, number: int) -> int:
        """Always the same for one item, within the policy's bounds; some tickets are free."""
        if product == "ticket" and number % 5 == 0:
            return 0
        unit_value = self._policy.unit_value or 1
        bounds = self._bounds.get(product, _USUAL)
        low = -(-bounds.min // unit_value)
        high = max(low, min(bounds.max // unit_value, low * 12 + 50))
        return low + number * 7919 % 97 * (high - low) // 96

    def _afford(self, user: int, tokens: int, at: datetime) -> Iterator[Step]:
        """Buy tokens when they are short, most of the time."""
        fan, draw = self._fans[user], self._draw
        while fan.tokens < tokens and draw.random() < 0.88:
            yield self._purchase(user, at)
        if fan.tokens >= tokens:
            fan.tokens -= tokens

    def _purchase(self, user: int, at: datetime) -> Step:
        draw = self._draw
        weights = [1 / (rank + 1) ** 2 for rank in range(len(self._packages))]
        name, package = draw.choices(self._packages, weights)[0]
        price = package.price
        if draw.random() < 0.004:
            price += 1  # what the processor charged is not what the package costs
        else:
            self._credit(user, package)
        return self._notice(user, "record-purchase", at, {"package": name, "price": price})

    def _credit(self, user: int, package: Package) -> None:
        self._fans[user].tokens += package.tokens + package.bonus

    def _mishap(self, user: int, creator: int, at: datetime) -> Iterator[Step]:
        """What backends and people do wrong, and what moderators do about it."""
        draw = self._draw
        paid = {"creator": f"creator-{creator}", "funding": "TOKEN"}
        item = f"unlock-{creator}-{ITEMS_PER_CREATOR + self._next()}"
        bounds = self._bounds.get("unlock")
        match draw.randrange(6):
            case 0 if bounds is not None:
                wrong = bounds.max // (self._policy.unit_value or 1) + 1
                yield self._step(user, "unlock", at, {**paid, "item": item, "price": wrong})
            case 1:
                tip = {**paid, "creator": f"fan-{user}", "amount": 10}
                yield self._step(user, "send-tip", at, tip)
            case 2:
                late = (at - timedelta(days=1)).isoformat().replace("+00:00", "Z")
                offer = {"item": item, "price": self._price("unlock", 3), "offer_expires_at": late}
                yield self._step(user, "unlock", at, {**paid, **offer})
            case 3:
                scope = {"subject": f"fan-{user}", "kind": "wallet", "scope": "SPEND"}
                what = {**scope, "reason_code": "risk-review"}
                yield self._step(user, "freeze", at, what, by_fan=False)
                yield self._step(user, "send-tip", at, {**paid, "amount": 10})
                yield self._step(user, "unfreeze", at, what, by_fan=False)
            case 4:
                first = self._step(user, "send-tip", at, {**paid, "amount": 5})
                yield first
                yield Step(user, "send-tip", {**first.fields, "amount": 6}, first.key)
            case _:
                yield self._step(user, "send-tip", at, {**paid, "amount": 0})

    def _notice(self, user: int, command: str, at: datetime, fields: dict[str, Any]) -> Step:
        processor = "ccbill" if self._draw.random() < 0.3 else "stripe"
        known_by = {"processor": processor, "processor_ref": f"ch-{self._name}-{self._next()}"}
        return self._step(user, command, at, {**fields, **known_by})

    def _step(
        self, user: int, command: str, at: datetime, fields: dict[str, Any], *, by_fan: bool = True
    ) -> Step:
        instant = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        who = {"user": f"fan-{user}"} if by_fan else {}
        return Step(
            user,
            command,
            {**who, **fields, "occurred_at": instant},
            f"day-{self._name}-{self._next()}",
        )

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers
