"""What lasts longer than a moment: calls, campaigns that hold credits, subscriptions, sessions."""

from datetime import datetime, timedelta
from typing import Any

from api.simulation.year.payments import fate, new_card, pay, refund_perhaps
from api.simulation.year.platform import Card, Platform, made, text
from api.simulation.year.sales import afford, buy_tokens
from ledger.write.answer import Answer

RATES = (10, 20, 25, 40, 62)
PERIOD = timedelta(days=30)


def call(platform: Platform, at: datetime) -> None:
    """A call, sometimes paused; who started it ends it, or the tokens do."""
    user, creator, rate = platform.fan(at), platform.creator(at), platform.draw.choice(RATES)
    minutes = platform.draw.choice((1, 2, 2, 3, 5, 8))
    afford(platform, at, user, rate * minutes)
    name = f"call-{platform.number()}"

    def then(answer: Answer) -> None:
        if not answer.accepted:
            return
        ends = at + timedelta(minutes=minutes, seconds=platform.draw.randrange(60))
        if platform.chance(0.2):
            platform.act(at + timedelta(seconds=40), "pause-call", {"call": name})
            platform.act(at + timedelta(seconds=75), "resume-call", {"call": name})
        if platform.chance(0.97):  # the others are found idle one day
            platform.act(ends, "end-call", {"call": name})

    fields = {"call": name, "user": user, "creator": creator, "rate": rate}
    platform.act(at, "start-call", fields, then=then)


def campaign(platform: Platform, at: datetime) -> None:
    """Credits are held for a campaign, its batches use them, the rest is released or expires."""
    user = platform.fan(at)
    have = platform.tokens.get(user, 0)
    if have < 500:
        buy_tokens(platform, at - timedelta(minutes=5), user)
        have = platform.tokens.get(user, 0)
    tokens = max(1, min(have, platform.draw.randrange(100, 9_000)))

    def then(answer: Answer) -> None:
        hold = made(answer)
        if hold is None:
            return
        left, batches = tokens, platform.draw.randrange(1, 5)
        for number in range(batches):
            used = left // 2 if number < batches - 1 else left * 9 // 10
            left -= used
            when = at + timedelta(hours=2 + 5 * number)
            fields = {"hold": hold, "batch_no": number, "used": used}
            platform.act(when, "settle-batch", fields)
            if platform.chance(0.15):  # reported once more
                platform.act(when + timedelta(hours=1), "settle-batch", fields)
        if platform.chance(0.9):
            platform.act(at + timedelta(hours=40), "release-hold", {"hold": hold})
        platform.tokens[user] = platform.tokens.get(user, 0) - tokens + left

    platform.act(at, "hold-credits", {"user": user, "tokens": tokens}, then=then)


def subscribe(platform: Platform, at: datetime) -> None:
    """A subscription to a creator, or to the platform where it has its own, renewed each month."""
    user = platform.fan(at)
    name = f"sub-{platform.number()}"
    price = platform.draw.choice((499, 999, 999, 1_999, 4_999))
    fields: dict[str, Any] = {"subscription": name, "user": user, "price": price}
    if not platform.policy.platform_subscriptions:
        fields["creator"] = platform.creator(at)
    if platform.chance(0.4):
        fields["plan"] = "basic"

    def then(answer: Answer) -> None:
        if answer.accepted:
            _charge(platform, at + timedelta(minutes=3), name, user, price)

    platform.act(at, "start-subscription", fields, then=then)


def charge_twice(platform: Platform, at: datetime, *, late: timedelta) -> None:
    """A first period of which the processor tells late, and twice: it charged it twice."""
    user, name = platform.fan(at), f"sub-{platform.number()}"
    fields: dict[str, Any] = {"subscription": name, "user": user, "price": 999}
    period = {"period_start": text(at), "period_end": text(at + PERIOD), "price": 999}

    def then(answer: Answer) -> None:
        if answer.accepted:
            charged = {"subscription": name, **period}
            for hours in (0, 5):
                told = late + timedelta(hours=hours)
                pay(platform, at, "charge-period", charged, user=user, amount=999, late=told)

    fields["creator"] = platform.creator(at)
    platform.act(at + late / 2, "start-subscription", fields, then=then)


def _charge(platform: Platform, start: datetime, name: str, user: str, price: int) -> None:
    """Charge a period and see to the next; some fail, some are cancelled, some change."""
    ends = start + PERIOD
    if platform.chance(0.05):
        failed = {
            "subscription": name,
            "period_start": text(start),
            "processor": "stripe",
            "processor_ref": f"pf-{platform.number()}",
        }
        platform.act(start, "fail-period", failed)
        if platform.chance(0.4):  # never paid again
            platform.act(start + timedelta(days=9), "lapse-subscription", {"subscription": name})
            return
        start += timedelta(days=2)
        ends = start + PERIOD
    if ends > platform.extent.ends + PERIOD:
        return
    fields = {
        "subscription": name,
        "period_start": text(start),
        "period_end": text(ends),
        "price": price,
    }
    pay(platform, start, "charge-period", fields, user=user, amount=price)
    if platform.chance(0.07):
        platform.act(ends - timedelta(days=4), "cancel-subscription", {"subscription": name})
        return
    if platform.chance(0.04):
        price += 500
        changed = {"subscription": name, "plan": "plus", "price": price, "from_period": text(ends)}
        platform.act(ends - timedelta(days=6), "change-subscription", changed)
    platform.later(ends, lambda: _charge(platform, ends, name, user, price))


def session(platform: Platform, at: datetime) -> None:
    """A session is authorised, then captured, given up, forgotten or refused by the processor."""
    user, payee = platform.fan(at), platform.creator(at)
    amount = platform.draw.randrange(25, 200) * 100
    card = new_card(platform, at, "capture", user, amount)
    tiers = sorted(platform.policy.revenue_share.tiers)
    fields: dict[str, Any] = {
        "session": f"session-{platform.number()}",
        "user": user,
        "payee": payee,
        "tier": tiers[int(payee.rpartition("-")[2]) % len(tiers)],
        "amount": amount,
        "processor": card.processor,
        "processor_ref": card.ref,
        "country": platform.draw.choice([*sorted(platform.policy.vat), "DE", "DE", "DE"]),
    }
    if platform.chance(0.02):
        fields["country"] = "US"
    other = platform.creator(at)
    if platform.chance(0.1) and other != payee:
        weights = [{"creator": payee, "weight": 2}, {"creator": other, "weight": 1}]
        fields["payees"] = weights
    if platform.chance(0.05):
        fields["platform_discount"] = 1_000
        card.amount -= 1_000

    def then(answer: Answer) -> None:
        payment = made(answer)
        if payment is not None:
            _live_through(platform, at, payment, card)

    platform.act(at, "authorize", fields, then=then)


def _live_through(platform: Platform, at: datetime, payment: str, card: Card) -> None:
    chance, amount = platform.draw.random(), card.amount
    begins = at + platform.hours(1, 20)
    ends = begins + platform.hours(0.5, 2)
    named: dict[str, Any] = {"payment": payment}
    if chance < 0.06:
        platform.act(begins, "void", {**named, "reason_code": "CANCELLED"})
    elif chance < 0.1:
        pass  # forgotten: voided after a day
    elif chance < 0.12:
        notice = {"processor": card.processor, "processor_ref": f"pf-{platform.number()}"}
        failed = {**named, "reason_code": "CARD_EXPIRED", **notice}
        platform.act(begins, "fail-payment", failed)
    elif chance < 0.16:
        fee = {**named, "reason_code": "CANCELLATION_FEE"}
        _capture(platform, begins, fee, card, amount // 4)
    else:
        if chance < 0.2:
            longer = {**named, "expires_at": text(at + timedelta(hours=60))}
            platform.act(at + timedelta(minutes=20), "extend-authorization", longer)
        platform.act(begins, "start-session", named)
        if chance < 0.22:
            return  # abandoned: voided after four hours
        if chance < 0.3:
            first = begins + timedelta(minutes=10)
            _capture(platform, first, {**named, "final": False}, card, amount // 3)
            amount -= amount // 3
        _capture(platform, ends, named, card, amount)
        fate(platform, ends, card)


def _capture(
    platform: Platform, at: datetime, fields: dict[str, Any], card: Card, amount: int
) -> None:
    def then(answer: Answer) -> None:
        card.sale, card.amount = made(answer) or "", amount
        if card.sale:
            platform.line(card.processor, "PAYMENT", card.ref, amount, at)
            refund_perhaps(platform, at, card)

    platform.act(at, "capture", {**fields, "amount": amount}, then=then)
