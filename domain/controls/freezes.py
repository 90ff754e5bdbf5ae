"""Freezes: what a wallet or a creator may not do until somebody lifts it.

A creator who may not earn any more is in no call from that moment on.
"""

import msgspec

from domain.calls.call import Call
from domain.calls.metering import stopped
from domain.command import Command, Decision, Given, command
from domain.creators.creator import Creator, CreatorEvent
from domain.entity import LoadedStates
from domain.event import stored_as
from domain.fields import Code, FreezeScope, Id, ScopeField, SubjectKind, SubjectKindField
from domain.wallets.wallet import Wallet, WalletEvent


class FreezeEvent(WalletEvent, CreatorEvent, frozen=True, kw_only=True):
    """What freezing and unfreezing record."""

    subject: str
    kind: str
    scope: str
    reason: str
    #: The purchase whose loss is the reason.
    purchase: str | None = None

    @property
    def cause(self) -> str:
        """By what a freeze ends that no person has to lift."""
        return "" if self.purchase is None else f"{self.reason}:{self.purchase}"

    def tags(self) -> tuple[str, ...]:
        """The wallet or creator, as `kind` says."""
        return (f"{self.kind}:{self.subject}",)

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
        return (f"{self.kind}:{self.subject}",)

    def subjects(self) -> tuple[str, ...]:
        """The subject."""
        return (f"{self.kind}:{self.subject}",)

    def is_frozen(self, given: Given) -> bool:
        """Whether the scope is frozen at present."""
        kind: type[Wallet | Creator] = (
            Wallet if SubjectKind(self.kind) is SubjectKind.WALLET else Creator
        )
        return self.scope in given.state(kind, self.subject).frozen

    def changed(self, event: type[FreezeEvent]) -> tuple[FreezeEvent, ...]:
        """The event of this command."""
        return (
            event(subject=self.subject, kind=self.kind, scope=self.scope, reason=self.reason_code),
        )


@command
class Freeze(FreezeCommand):
    """Freeze a wallet or a creator; nothing happens to one that is frozen already.

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
        if self.is_frozen(given) and not self._only_for_purchases(given):
            return ()
        (frozen,) = self.changed(AccountFrozen)
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

    def decide(self, given: Given) -> Decision:
        return self.changed(AccountUnfrozen) if self.is_frozen(given) else ()
