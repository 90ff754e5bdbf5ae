"""What a sale costs after its discounts, and the fields by which commands say so."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from domain.fields import Amount, Id

#: (price before discounts, discount, what the platform pays of the rest), in tokens or minor units
#: as funded. The buyer pays the first less the other two.
Prices = tuple[int, int, int]

OfferField = Annotated[
    Id | None,
    Field(description="An offer that was published: all discounts follow from it."),
]
PlatformDiscount = Annotated[
    Amount,
    Field(
        description="Minor units of the price after discount that the platform pays; the card "
        "pays the rest, at least 1. Creators, tax and commission are those of the whole."
    ),
]


def charged(prices: Prices) -> int:
    """What the buyer pays."""
    price, discount, by_platform = prices
    return price - discount - by_platform


def discount_problems(offer: str | None, prices: Prices) -> Iterable[tuple[str, str]]:
    """What names an offer names no discount, and the platform never pays the whole price."""
    price, discount, by_platform = prices
    if offer is not None:
        for field, amount in (("discount", discount), ("platform_discount", by_platform)):
            if amount:
                yield f"/{field}", "follows from the offer"
    elif by_platform and by_platform >= price - discount:
        yield "/platform_discount", "leaves the card nothing to pay"
