"""What the platform knows of a creator as a person: verified or not, and ready to be paid."""

from datetime import UTC, datetime

import msgspec

from domain.agenda import AGENDA, AgendaEvent, AgendaItem, Due
from domain.command import Command, Decision, Given, command
from domain.creators.creator import Creator, CreatorEvent
from domain.entity import LoadedStates
from domain.event import stored_as
from domain.fields import Country, Id

#: Some midnight; what is due daily since then is due at each.
MIDNIGHT = datetime(2000, 1, 1, tzinfo=UTC)
DAY_S = 86_400


class CreatorNoted(CreatorEvent, frozen=True, kw_only=True):
    """Something that is noted about a creator; no value moves."""

    creator: str

    def tags(self) -> tuple[str, ...]:
        return (f"creator:{self.creator}",)


@stored_as("creator.verified.v1")
class CreatorVerified(CreatorNoted, frozen=True, kw_only=True):
    """The creator's identity was checked, or the check was withdrawn."""

    verified: bool

    def in_creator(self, creator: Creator, creator_id: str) -> Creator:
        return msgspec.structs.replace(creator, verified=self.verified)


@stored_as("payout_account.changed.v1")
class PayoutAccountChanged(CreatorNoted, AgendaEvent, frozen=True, kw_only=True):
    """Whether the processor pays out to this creator, and in which country they are taxed."""

    payouts_enabled: bool
    country: str | None = None

    def tags(self) -> tuple[str, ...]:
        return (*super().tags(), AGENDA)

    def agenda(self) -> AgendaItem:
        """Whoever can be paid takes part in the runs of the payout schedule, looked at daily."""
        item = f"payouts:{self.creator}"
        if not self.payouts_enabled:
            return item, None
        fields: dict[str, str | bool] = {"creator": self.creator, "scheduled": True}
        return item, Due(MIDNIGHT, "request-payout", fields, DAY_S)

    def in_creator(self, creator: Creator, creator_id: str) -> Creator:
        """As noted; a country that is not named stays as it was."""
        return msgspec.structs.replace(
            creator,
            payouts_enabled=self.payouts_enabled,
            country=self.country or creator.country,
        )


class CreatorCommand(Command):
    """A command that notes something about a creator."""

    roles = frozenset({"service", "finance"})

    creator: Id

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        return (f"creator:{self.creator}",)


@command
class VerifyCreator(CreatorCommand):
    """Record whether a creator is verified; nothing happens where that is known."""

    name = "verify-creator"

    verified: bool

    def decide(self, given: Given) -> Decision:
        if given.state(Creator, self.creator).verified == self.verified:
            return ()
        return (CreatorVerified(creator=self.creator, verified=self.verified),)


@command
class SetPayoutAccount(CreatorCommand):
    """Record whether a creator can be paid out, and the country of taxation."""

    name = "set-payout-account"

    payouts_enabled: bool
    country: Country | None = None

    def decide(self, given: Given) -> Decision:
        """The note, if it says anything new."""
        creator = given.state(Creator, self.creator)
        same_country = self.country is None or self.country == creator.country
        if same_country and creator.payouts_enabled == self.payouts_enabled:
            return ()
        event = PayoutAccountChanged(
            creator=self.creator, payouts_enabled=self.payouts_enabled, country=self.country
        )
        return (event,)
