"""Freezes: what a wallet or a creator may not do until somebody lifts it.

A creator who may not earn any more is in no call from that moment on. Which freezes finance set is
known, for a policy may want two people to lift those.
"""

import msgspec

from domain.calls.call import Call
from domain.calls.metering import stopped
from domain.command import Command, Decision, Given, command
from domain.creators.creator import Creator, CreatorEvent
from domain.entity import LoadedStates, State, entity
from domain.event import Event, stored_as
from domain.fields import Code, FreezeScope, Id, ScopeField, SubjectKind, SubjectKindField
from domain.policy import SecondPerson
from domain.wallets.wallet import Wallet, WalletEvent

FINANCE = "finance"


@entity
class FinanceFreezes(State, frozen=True, kw_only=True):
    """The scopes of a wallet or a creator that finance has frozen; named `freeze:KIND:SUBJECT`."""

    KIND = "freeze"
    CACHED = False

    scopes: tuple[str, ...] = ()

    def apply(self, key: str, event: Event) -> "FinanceFreezes":
        """The scopes after `event`, which is about one that finance froze."""
        assert isinstance(event, FreezeEvent)
        return FinanceFreezes(scopes=event.scopes(self.scopes))


class FreezeEvent(WalletEvent, CreatorEvent, frozen=True, kw_only=True):
    """What freezing and unfreezing record."""

    subject: str
    kind: str
    scope: str
    reason: str
    #: The purchase whose loss is the reason.
    purchase: str | None = None
    #: Whether finance set the freeze.
    of_finance: bool = False

    @property
    def cause(self) -> str:
        """By what a freeze ends that no person has to lift."""
        return "" if self.purchase is None else f"{self.reason}:{self.purchase}"

    def tags(self) -> tuple[str, ...]:
        """The wallet or creator, as `kind` says, and what finance froze of it."""
        subject = f"{self.kind}:{self.subject}"
        return (subject, f"freeze:{subject}") if self.of_finance else (subject,)

    def scopes(self, before: tuple[str, ...]) -> tuple[str, ...]:
        """The frozen scopes afterwards."""
        raise NotImplementedError(type(self).__name__)

    def causes(self, before: tuple[str, ...]) -> tuple[str, ...]:
        """Why spending is frozen afterwards."""
        raise NotImplementedError(type(self).__name__)

    def in_wallet(self, wallet: Wallet, user: str) -> Wallet:
        """The scope is frozen or free; of spending it is known why."""
        causes = wallet.frozen_for
        if self.scope == FreezeScope.SPEND:
            causes = self.causes(causes)
        return msgspec.structs.replace(wallet, frozen=self.scopes(wallet.frozen), frozen_for=causes)

    def in_creator(self, creator: Creator, creator_id: str) -> Creator:
        return msgspec.structs.replace(creator, frozen=self.scopes(creator.frozen))


@stored_as("account.frozen.v1")
class AccountFrozen(FreezeEvent, frozen=True):
    """The subject may do nothing within `scope` from now on."""

    def scopes(self, before: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted({*before, self.scope}))

    def causes(self, before: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*before, self.cause)))


@stored_as("account.unfrozen.v1")
class AccountUnfrozen(FreezeEvent, frozen=True, kw_only=True):
    """The subject may act within `scope` again; if something else `remains`, not yet."""

    remains: bool = False

    def scopes(self, before: tuple[str, ...]) -> tuple[str, ...]:
        if self.remains:
            return before
        return tuple(scope for scope in before if scope != self.scope)

    def causes(self, before: tuple[str, ...]) -> tuple[str, ...]:
        """A person lifts every freeze; else only what the purchase was frozen for ends."""
        return tuple(cause for cause in before if self.cause and cause != self.cause)


class FreezeCommand(Command):
    """What both commands carry: `subject` is a user (wallet) or a creator."""

    roles = frozenset({"service", "finance", "moderator"})

    subject: Id
    kind: SubjectKindField
    scope: ScopeField
    reason_code: Code

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        subject = f"{self.kind}:{self.subject}"
        return subject, f"freeze:{subject}"

    def subjects(self) -> tuple[str, ...]:
        """The subject."""
        return (f"{self.kind}:{self.subject}",)

    def frozen_by_finance(self, given: Given) -> bool:
        """Whether finance has frozen the scope."""
        return self.scope in given.state(FinanceFreezes, f"{self.kind}:{self.subject}").scopes

    def is_frozen(self, given: Given) -> bool:
        """Whether the scope is frozen at present."""
        kind: type[Wallet | Creator] = (
            Wallet if SubjectKind(self.kind) is SubjectKind.WALLET else Creator
        )
        return self.scope in given.state(kind, self.subject).frozen

    def changed(self, event: type[FreezeEvent], *, of_finance: bool) -> FreezeEvent:
        """The event of this command."""
        return event(
            subject=self.subject,
            kind=self.kind,
            scope=self.scope,
            reason=self.reason_code,
            of_finance=of_finance,
        )


@command
class Freeze(FreezeCommand):
    """Freeze a wallet or a creator; one that is frozen already stays as it is.

    What finance freezes, also for the second time, is finance's from then on.

    The calls of a creator frozen for EARN end, and blocks that were complete go to the reserve.
    """

    name = "freeze"

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The subject; of a creator, the calls and who is in them."""
        keys = super().prefetch(states)
        if SubjectKind(self.kind) is not SubjectKind.CREATOR:
            return keys
        creator = states.loaded(Creator, self.subject)
        for call_id in () if creator is None else creator.calls:
            call = states.loaded(Call, call_id)
            terms = None if call is None else call.terms
            keys += (f"call:{call_id}",) if terms is None else (f"wallet:{terms.fan}",)
        return keys

    def decide(self, given: Given) -> Decision:
        of_finance = given.role == FINANCE
        becomes_finances = of_finance and not self.frozen_by_finance(given)
        if self.is_frozen(given) and not becomes_finances and not self._only_for_purchases(given):
            return ()
        frozen = self.changed(AccountFrozen, of_finance=of_finance)
        if (self.kind, self.scope) != (str(SubjectKind.CREATOR), str(FreezeScope.EARN)):
            return (frozen,)
        creator = frozen.in_creator(given.state(Creator, self.subject), self.subject)
        return frozen, *stopped(creator, given)

    def _only_for_purchases(self, given: Given) -> bool:
        """Whether what is frozen would be free again by itself."""
        if (self.kind, self.scope) != (str(SubjectKind.WALLET), str(FreezeScope.SPEND)):
            return False
        return "" not in given.state(Wallet, self.subject).frozen_for


@command
class Unfreeze(FreezeCommand):
    """Lift a freeze; nothing happens where there is none."""

    name = "unfreeze"
    may_need_two = True

    def second_person(self, given: Given, limits: SecondPerson, events: tuple[Event, ...]) -> bool:
        return bool(limits.lift_finance_freeze) and self.frozen_by_finance(given)

    def decide(self, given: Given) -> Decision:
        if not self.is_frozen(given):
            return ()
        return (self.changed(AccountUnfrozen, of_finance=self.frozen_by_finance(given)),)
