"""What fans do: they buy tokens, and buy with tokens and by card."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from api.simulation.year.payments import pay
from api.simulation.year.platform import OFFERED_BPS, Platform, made
from domain.money import half_up
from domain.policy import Bounds
from ledger.write.answer import Answer

SOURCES = ("discovery", "direct", "messages", "offers")
TIPS = (5, 10, 10, 20, 20, 50, 50, 100, 250, 1_000)
COMMANDS = {"unlock": "unlock", "message": "unlock-message", "ticket": "buy-ticket"}
_USUAL = Bounds(min=50, max=2_000)


def buy_tokens(
    platform: Platform, at: datetime, user: str | None = None, *, late: timedelta | None = None
) -> None:
    """Buy a package of tokens; seldom the processor charges another price than agreed."""
    user = user or platform.fan(at)
    packages = sorted(platform.policy.packages.items(), key=lambda item: item[1].price)
    weights = [1 / (rank + 1) ** 2 for rank in range(len(packages))]
    name, package = platform.draw.choices(packages, weights)[0]
    wrong = platform.chance(0.01)
    price = package.price + (1 if wrong else 0)
    if not wrong:
        platform.tokens[user] = platform.tokens.get(user, 0) + package.tokens + package.bonus
    fields = {"user": user, "package": name, "price": price}
    pay(platform, at, "record-purchase", fields, user=user, amount=price, late=late)


def afford(platform: Platform, at: datetime, user: str, tokens: int) -> None:
    """Buy tokens shortly before they are needed, most of the time."""
    for _ in range(5):
        if platform.tokens.get(user, 0) >= tokens or not platform.chance(0.93):
            break
        buy_tokens(platform, at - timedelta(minutes=2), user)
    platform.tokens[user] = max(0, platform.tokens.get(user, 0) - tokens)


def spend_tokens(platform: Platform, at: datetime) -> None:
    """A tip, or an item for tokens; some come back."""
    user, creator = platform.fan(at), platform.creator(at)
    products = [name for name in COMMANDS if name in platform.policy.products_enabled]
    fields: dict[str, Any] = {"user": user, "creator": creator, "funding": "TOKEN"}
    if platform.chance(0.5) or not products:
        command, tokens = "send-tip", platform.draw.choice(TIPS)
        fields["amount"] = tokens
    else:
        command, tokens = _item(platform, fields, products, platform.policy.unit_value or 1, at)
    afford(platform, at, user, tokens)

    def then(answer: Answer) -> None:
        sale = made(answer)
        if sale is None:
            return
        share = platform.policy.revenue_share.of("tip")
        value = tokens * (platform.policy.unit_value or 1) * share // 10_000
        platform.earned[creator] = platform.earned.get(creator, 0) + value
        if platform.chance(0.012) and tokens:
            part = tokens if platform.chance(0.5) else max(1, tokens // 2)
            back = {"sale": sale, "amount": part, "reason_code": "NOT_AS_DESCRIBED"}
            platform.act(at + platform.hours(3, 90), "refund", back)

    platform.act(at, command, fields, then=then, labels=_labels(platform))


def spend_by_card(platform: Platform, at: datetime, *, late: timedelta | None = None) -> None:
    """A tip or an item by card."""
    user, creator = platform.fan(at), platform.creator(at)
    products = [name for name in COMMANDS if name in platform.policy.products_enabled]
    fields: dict[str, Any] = {"user": user, "creator": creator, "funding": "CARD"}
    if platform.chance(0.3) and "tip" in platform.policy.products_enabled:
        least = platform.policy.tip_minimum or 1
        command, amount = "send-tip", least + platform.draw.randrange(100, 5_000)
        fields["amount"] = amount
    else:
        command, amount = _item(platform, fields, products, 1, at)
    if not amount:
        return
    if "offer" not in fields and platform.chance(0.02) and amount > 100:
        fields["platform_discount"] = amount // 5
    if command != "send-tip" or platform.chance(0.3):
        fields["attribution"] = {"source": platform.draw.choice(SOURCES)}
    if "offer" in fields:
        amount -= half_up(amount, OFFERED_BPS)
    amount -= fields.get("platform_discount", 0)
    labels = _labels(platform)
    pay(platform, at, command, fields, user=user, amount=amount, labels=labels, late=late)


def _item(
    platform: Platform, fields: dict[str, Any], products: Sequence[str], unit: int, at: datetime
) -> tuple[str, int]:
    """Put an item and its price into `fields`; the same item has always the same price."""
    draw = platform.draw
    product = draw.choices(products, [6, 2, 1][: len(products)])[0]
    number = draw.randrange(40)
    creator = fields["creator"]
    bounds = {str(name): each for name, each in platform.policy.price_bounds.items()}.get(
        product, _USUAL
    )
    low = -(-bounds.min // unit)
    high = max(low, min(bounds.max // unit, low * 12 + 50))
    place = int(creator.rpartition("-")[2]) * 31 + number
    price = low + place * 7919 % 97 * (high - low) // 96
    fields |= {"item": f"{product}-{creator}-{number}", "price": price}
    if product == "message":
        fields["item"] += f"-{platform.number()}"  # each message is sent once
    fields["attribution"] = {"source": draw.choice(SOURCES)}
    offer = next((o for o in platform.offers if product in o[1] and at < o[2]), None)
    if offer is not None and platform.chance(0.5):
        fields["offer"] = offer[0]
    return COMMANDS[product], price


def _labels(platform: Platform) -> dict[str, str] | None:
    if platform.chance(0.7):
        return None
    labels = {"campaign": f"c{platform.draw.randrange(6)}"}
    if platform.chance(0.4):
        labels["stream"] = f"s{platform.draw.randrange(20)}"
    return labels
