"""Items: content, priced messages and tickets. A sale of one entitles its buyer to it.

The charge and the entitlement are one event, so double clicks, retries and two devices yield one
sale. A free item entitles without postings.
"""

from collections.abc import Iterable
from datetime import datetime

from pydantic import Field

from domain.command import Given, command
from domain.entity import LoadedStates
from domain.event import stored_as
from domain.fields import Amount, Id, Instant
from domain.offers.prices import Prices, discount_problems
from domain.policy import Policy, SaleTerms
from domain.rejections import ALREADY_ENTITLED, OFFER_EXPIRED, Rejection, reject
from domain.sales.commands import SaleCommand
from domain.sales.entitlement import Entitlement, EntitlementEvent, entitlement_key
from domain.sales.sale import TOKEN, Sale


class ItemSold(Sale, EntitlementEvent, frozen=True):
    """A sale that entitles its buyer to `item_id` until `expires_at` (None: for good)."""

    def tags(self) -> tuple[str, ...]:
        """Those of a sale, and the entitlement."""
        return (*Sale.tags(self), entitlement_key(self.buyer, self.item_id or ""))

    @property
    def items(self) -> tuple[str, ...]:
        return (self.item_id or "",)

    @property
    def entitled_until(self) -> datetime | None:
        return self.expires_at

    def in_entitlement(self, entitlement: Entitlement) -> Entitlement:
        """This sale entitles from now on."""
        return entitlement.granted(self.sale_id, self.expires_at)


@stored_as("content.unlocked.v1")
class ContentUnlocked(ItemSold, frozen=True):
    """Content was unlocked."""


@stored_as("message.unlocked.v1")
class MessageUnlocked(ItemSold, frozen=True):
    """A priced message was unlocked."""


@stored_as("ticket.sold.v1")
class TicketSold(ItemSold, frozen=True):
    """A ticket to a stream was sold."""


class BuyItem(SaleCommand):
    """What the commands that buy an item share. `price` before discount; 0 is free."""

    item: Id
    price: Amount
    discount: Amount = 0
    offer_expires_at: Instant | None = None
    access_until: Instant | None = None
    item_class: Id | None = Field(
        default=None,
        description="The class of the item: its price is within the bounds of `unlock:CLASS` (or "
        "`message:CLASS`, `ticket:CLASS`) where the policy has some, else of `unlock`.",
    )

    def problems(self) -> Iterable[tuple[str, str]]:
        """A discount takes at most the whole price, and stands beside no offer."""
        if not self.discount:
            return super().problems()
        found = [*super().problems()]
        if self.discount > self.price:
            found.append(("/discount", "is more than the price"))
        elif self.offer is not None and self.funding == TOKEN:
            found += discount_problems(self.offer, self.prices())
        return found

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """Those of a sale, and the entitlement."""
        own = self.__dict__
        user, entitlement = own["user"], entitlement_key(own["user"], own["item"])
        if own["processor_ref"] is None and own["offer"] is None:
            return f"wallet:{user}", f"creator:{own['creator']}", entitlement
        return *super().prefetch(states), entitlement

    def prices(self) -> Prices:
        """Price and discounts as quoted."""
        own = self.__dict__
        return own["price"], own["discount"], own["platform_discount"]

    def refusal(self, given: Given) -> Rejection | None:
        """The offer must still stand, and the item must not be the buyer's already."""
        own, now = self.__dict__, given.now
        if own["offer_expires_at"] is not None and own["offer_expires_at"] <= now:
            return reject(OFFER_EXPIRED, expired_at=own["offer_expires_at"])
        user, item = own["user"], own["item"]
        entitlement = given.state(Entitlement, f"{user}:{item}")
        held = entitlement.live(now) if entitlement.grants else None
        if held is not None:
            return reject(ALREADY_ENTITLED, user=user, item=item, sale_id=held.sale_id)
        return None

    def terms(self, policy: Policy) -> SaleTerms:
        """Those of the item's class, if it has any of its own."""
        if self.item_class is None:
            return policy.sales[self.product]
        classed = policy.sales.get(f"{self.product}:{self.item_class}")
        return policy.sales[self.product] if classed is None else classed

    def entitled_item(self) -> tuple[str, str | None, datetime | None]:
        """The item, its class, and until when it may be used."""
        own = self.__dict__
        return own["item"], own["item_class"], own["access_until"]


@command
class Unlock(BuyItem):
    """Unlock a piece of content."""

    name = "unlock"
    product = "unlock"
    event = ContentUnlocked


@command
class UnlockMessage(BuyItem):
    """Unlock a priced message."""

    name = "unlock-message"
    product = "message"
    event = MessageUnlocked


@command
class BuyTicket(BuyItem):
    """Buy a ticket to a stream; the ticket to a public stream costs 0."""

    name = "buy-ticket"
    product = "ticket"
    event = TicketSold
