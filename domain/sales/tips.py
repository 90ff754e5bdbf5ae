"""Tips: a fan gives a creator tokens or money."""

from domain.command import command
from domain.event import stored_as
from domain.fields import PositiveAmount
from domain.offers.prices import Prices
from domain.sales.commands import SaleCommand
from domain.sales.sale import Sale


@stored_as("tip.sent.v1")
class TipSent(Sale, frozen=True):
    """A tip."""


@command
class SendTip(SaleCommand):
    """Tip a creator: `amount` tokens (TOKEN) or minor units (CARD)."""

    name = "send-tip"
    product = "tip"
    event = TipSent
    price_field = "amount"

    amount: PositiveAmount

    def prices(self) -> Prices:
        """The amount; only an offer takes some of it off."""
        return self.amount, 0, self.platform_discount
