"""Freezes: what a wallet or a creator may not do until somebody lifts it."""

import msgspec

from domain.command import Command, Decision, Given, command
from domain.creators.creator import Creator, CreatorEvent
from domain.entity import LoadedStates
from domain.event import stored_as
from domain.fields import Code, Id, ScopeField, SubjectKind, SubjectKindField
from domain.wallets.wallet import Wallet, WalletEvent


class FreezeEvent(WalletEvent, CreatorEvent, frozen=True, kw_only=True):
    """What freezing and unfreezing record."""

    subject: str
    kind: str
    scope: str
    reason: str

    def tags(self) -> tuple[str, ...]:
        """The wallet or creator, as `kind` says."""
        return (f"{self.kind}:{self.subject}",)

    def scopes(self, before: tuple[str, ...]) -> tuple[str, ...]:
        """The frozen scopes afterwards."""
        raise NotImplementedError(type(self).__name__)

    def in_wallet(self, wallet: Wallet, user: str) -> Wallet:
        return msgspec.structs.replace(wallet, frozen=self.scopes(wallet.frozen))

    def in_creator(self, creator: Creator, creator_id: str) -> Creator:
        return msgspec.structs.replace(creator, frozen=self.scopes(creator.frozen))


@stored_as("account.frozen.v1")
class AccountFrozen(FreezeEvent, frozen=True):
    """The subject may do nothing within `scope` from now on."""

    def scopes(self, before: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted({*before, self.scope}))


@stored_as("account.unfrozen.v1")
class AccountUnfrozen(FreezeEvent, frozen=True):
    """The subject may act within `scope` again."""

    def scopes(self, before: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(scope for scope in before if scope != self.scope)


class FreezeCommand(Command):
    """What both commands carry: `subject` is a user (wallet) or a creator."""

    roles = frozenset({"service", "finance", "moderator"})

    subject: Id
    kind: SubjectKindField
    scope: ScopeField
    reason_code: Code

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
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
    """Freeze a wallet or a creator; nothing happens to one that is frozen already."""

    name = "freeze"

    def decide(self, given: Given) -> Decision:
        return () if self.is_frozen(given) else self.changed(AccountFrozen)


@command
class Unfreeze(FreezeCommand):
    """Lift a freeze; nothing happens where there is none."""

    name = "unfreeze"

    def decide(self, given: Given) -> Decision:
        return self.changed(AccountUnfrozen) if self.is_frozen(given) else ()
