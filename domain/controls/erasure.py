"""Erasure: a person leaves, and everything that could name them goes.

The log knows only opaque ids, so no entry, hash or total changes. What is kept beside it about
the subject, in words or as a mapping, is erased in the same transaction. Nobody with money or
tokens left, or with business that is still open, can be erased.

The id is closed then: requests that name it are refused, so that nobody else is ever taken for the
person who left. Notices are facts, and are booked all the same.
"""

import msgspec

from domain.command import Command, Decision, Given, command
from domain.creators.creator import Creator, CreatorEvent
from domain.entity import LoadedStates, State, entity
from domain.event import Event, stored_as
from domain.fields import Id, SubjectKind, SubjectKindField
from domain.rejections import ACCOUNT_HAS_BALANCE, SUBJECT_ERASED, reject
from domain.texts import ErasesTexts
from domain.wallets.wallet import Wallet, WalletEvent


@entity
class Erased(State, frozen=True, kw_only=True):
    """Whether a subject was erased."""

    KIND = "erased"
    CACHED = False

    done: bool = False

    def apply(self, key: str, event: Event) -> "Erased":
        return Erased(done=True)


@stored_as("subject.erased.v1")
class SubjectErased(WalletEvent, CreatorEvent, ErasesTexts, frozen=True, kw_only=True):
    """What was kept outside the log about a wallet's or creator's person is gone."""

    subject: str
    kind: str

    def tags(self) -> tuple[str, ...]:
        """The wallet or creator, and that it was erased."""
        return f"{self.kind}:{self.subject}", f"erased:{self.kind}:{self.subject}"

    def erased(self) -> str:
        """Those of the wallet or the creator."""
        return f"{self.kind}:{self.subject}"

    def in_wallet(self, wallet: Wallet, user: str) -> Wallet:
        """No balance changes."""
        return msgspec.structs.replace(wallet, erased=True)

    def in_creator(self, creator: Creator, creator_id: str) -> Creator:
        """No balance changes."""
        return msgspec.structs.replace(creator, erased=True)


@command
class EraseSubject(Command):
    """Erase what is kept beside the log about a person; a second time changes nothing."""

    name = "erase-subject"
    roles = frozenset({"admin"})

    subject: Id
    kind: SubjectKindField

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The wallet or creator, and whether it was erased before."""
        return f"{self.kind}:{self.subject}", f"erased:{self.kind}:{self.subject}"

    def decide(self, given: Given) -> Decision:
        """The erasure, unless something is left."""
        if SubjectKind(self.kind) is SubjectKind.WALLET:
            what = left_in_wallet(given.state(Wallet, self.subject))
        else:
            what = left_with_creator(given.state(Creator, self.subject))
        if what is not None:
            return reject(ACCOUNT_HAS_BALANCE, subject=self.subject, what=what)
        if given.state(Erased, f"{self.kind}:{self.subject}").done:
            return ()
        return (SubjectErased(subject=self.subject, kind=self.kind),)


def decide(command: Command, given: Given) -> Decision:
    """What is decided on `command`, unless it is a request that names somebody erased."""
    if not command.asks_after_parties and command.notice_id() is None:
        for tag in command.subjects():
            state = given.states[tag]
            assert isinstance(state, Wallet | Creator)
            if state.erased:
                return reject(SUBJECT_ERASED, subject=tag.partition(":")[2])
    return command.decide(given)


def left_in_wallet(wallet: Wallet) -> str | None:
    """What keeps a wallet from being erased."""
    if any(lot.held for lot in wallet.lots):
        return "held tokens"
    if wallet.lots:
        return "tokens"
    if wallet.debt:
        return "a debt"
    if wallet.call is not None:
        return "an open call"
    return "an open subscription" if wallet.subscriptions else None


def left_with_creator(creator: Creator) -> str | None:
    """What keeps a creator from being erased."""
    if creator.payout is not None:
        return "an open payout"
    if creator.owed:
        return "a balance"
    return None
