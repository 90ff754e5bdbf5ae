"""Promotional tokens: given, not sold. They release nothing; the platform bears their cost.

Where the policy bounds what one sender grants in a day, whoever holds the key is counted, for whom
they act may be anybody.
"""

from datetime import date, datetime

import msgspec

from domain.accounts import Assets, Posting
from domain.agenda import AGENDA, AgendaEvent, AgendaItem, ending
from domain.command import Command, Decision, Given, command
from domain.entity import LoadedStates, State, entity
from domain.event import Event, stored_as
from domain.fields import Code, Funding, Id, Instant, PositiveAmount
from domain.policy import Policy, SecondPerson
from domain.rejections import NO_POLICY, OFFER_EXPIRED, PRODUCT_DISABLED, reject
from domain.wallets.lot_changes import Cause, LotChange
from domain.wallets.wallet import Lot, TokenClass, Wallet, WalletEvent


class DaysGrants(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What `sender` has granted on `day` of the book, this grant included."""

    sender: str
    day: date
    tokens: int


@entity
class Granter(State, frozen=True, kw_only=True):
    """What one sender granted on the last day on which they granted anything."""

    KIND = "granter"

    day: date | None = None
    tokens: int = 0

    def apply(self, key: str, event: Event) -> "Granter":
        """The sums stand in the event."""
        assert isinstance(event, PromoTokensGranted) and event.of_day is not None
        return Granter(day=event.of_day.day, tokens=event.of_day.tokens)


@stored_as("promo_tokens.granted.v1")
class PromoTokensGranted(WalletEvent, AgendaEvent, frozen=True, kw_only=True):
    """`tokens` given to `user`, to be spent before `expires_at` (exclusive).

    `lot_id` is a lot of their own, or one of other grants with the same end that they join.
    """

    lot_id: str
    user: str
    tokens: int
    reason: str
    expires_at: datetime | None = None
    #: Whether the agenda has to learn of their end.
    on_agenda: bool = False
    #: Where the policy says how much one sender grants in a day.
    of_day: DaysGrants | None = None

    def tags(self) -> tuple[str, ...]:
        """The wallet, the agenda if the tokens end by themselves, whose grants are counted."""
        tags = (f"wallet:{self.user}", AGENDA) if self.on_agenda else (f"wallet:{self.user}",)
        return tags if self.of_day is None else (*tags, f"granter:{self.of_day.sender}")

    def agenda_items(self) -> tuple[AgendaItem, ...]:
        """What is left of them expires."""
        at = self.expires_at if self.on_agenda else None
        return ending(self.lot_id, "expire-promo", self.user, at)

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`supply -> w.free`."""
        return self.token_postings(assets)

    def lot_changes(self) -> tuple[LotChange, ...]:
        """A new promotional lot, or a larger one."""
        lot = Lot(
            self.lot_id, self.lot_id, TokenClass.PROMO, self.tokens, 0, expires_at=self.expires_at
        )
        return (LotChange(self.user, lot, self.tokens, Cause.GRANTED),)


def _joined(wallet: Wallet, expires_at: datetime | None, now: datetime) -> str | None:
    """The lot of earlier grants that further tokens with this end may join."""
    if not wallet.may_join(now):
        return None
    for lot in wallet.lots:
        granted = lot.kind == TokenClass.PROMO and lot.purchase == lot.lot
        if granted and lot.expires_at == expires_at:
            return lot.lot
    return None


@command
class GrantPromo(Command):
    """Grant promotional tokens, which end at `expires_at` or after the policy's promo expiry.

    Where the policy has a `promo_expiry_granularity`, they end with the day, week or month of that.
    """

    name = "grant-promo"
    roles = frozenset({"service", "finance"})
    may_need_two = True

    user: Id
    tokens: PositiveAmount
    reason_code: Code
    expires_at: Instant | None = None

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        return (f"wallet:{self.user}",)

    def second_person(self, given: Given, limits: SecondPerson, events: tuple[Event, ...]) -> bool:
        (granted,) = events
        assert isinstance(granted, PromoTokensGranted)
        limit, counted = limits.grant_per_day, granted.of_day
        return limit is not None and counted is not None and counted.tokens > limit

    def decide(self, given: Given) -> Decision:
        """The grant, or a rejection where the policy knows no tokens."""
        version = given.policy
        if version is None:
            return reject(NO_POLICY, at=given.now)
        if Funding.TOKEN not in version.policy.funding:
            return reject(PRODUCT_DISABLED, product="promo", funding=Funding.TOKEN)
        expires_at = self.expires_at or version.policy.promo_expiry(given.now)
        if expires_at is not None and expires_at <= given.now:
            return reject(OFFER_EXPIRED, expired_at=expires_at)
        if expires_at is not None:
            expires_at = version.policy.granted_until(expires_at)
        wallet = given.state(Wallet, self.user)
        event = PromoTokensGranted(
            lot_id=_joined(wallet, expires_at, given.now) or given.new_id,
            user=self.user,
            tokens=self.tokens,
            reason=self.reason_code,
            expires_at=expires_at,
            on_agenda=expires_at is not None,
            of_day=self._of_day(given, version.policy),
        )
        return (event,)

    def _of_day(self, given: Given, policy: Policy) -> DaysGrants | None:
        """What the sender has granted today, if that is bounded."""
        if policy.second_person.grant_per_day is None:
            return None
        before = given.state(Granter, given.principal)
        earlier = before.tokens if before.day == given.today else 0
        return DaysGrants(given.principal, given.today, earlier + self.tokens)
