"""Freezes: what wallets and creators may not do, since when, why, and whether it was lifted."""

from collections.abc import Iterable
from typing import ClassVar

from domain.controls.freezes import AccountFrozen, AccountUnfrozen, FreezeEvent
from domain.event import Event
from domain.fields import SubjectKind
from projections.engine.columns import BOOLEAN, TEXT, kept
from projections.engine.register import Life, Register, lives

FROZEN, LIFTED = "FROZEN", "LIFTED"


class FrozenScope(Life, frozen=True, kw_only=True):
    """One scope of a wallet or a creator, and why it was frozen or lifted last."""

    KIND: ClassVar[str] = "freeze"

    subject: str = ""
    kind: str = ""
    scope: str = ""
    reason: str = ""
    purchase: str | None = None
    of_finance: bool = False

    def apply(self, key: str, event: Event) -> "FrozenScope":
        """Frozen; or lifted, unless something else remains."""
        assert isinstance(event, FreezeEvent)
        lifted = isinstance(event, AccountUnfrozen) and not event.remains
        frozen = isinstance(event, AccountFrozen)
        return FrozenScope(
            status=LIFTED if lifted else FROZEN,
            subject=event.subject,
            kind=event.kind,
            scope=event.scope,
            reason=event.reason,
            purchase=event.purchase if frozen else self.purchase,
            of_finance=event.of_finance if frozen else self.of_finance,
        )

    def named(self, kind: SubjectKind) -> str | None:
        """The subject, if it is of that kind."""
        return self.subject if self.kind == kind else None


class Freezes(Register):
    """Freezes; `id` is KIND-SUBJECT-SCOPE. What was lifted and is frozen again is one freeze."""

    name, item = "freezes", "freeze"
    version = 1
    state = FrozenScope
    statuses = (FROZEN, LIFTED)
    branches = lives(FreezeEvent)
    columns = (
        kept("user", TEXT, lambda one: one.named(SubjectKind.WALLET), nullable=True, by="user"),
        kept(
            "creator",
            TEXT,
            lambda one: one.named(SubjectKind.CREATOR),
            nullable=True,
            by="creator",
        ),
        kept("kind", TEXT, by="kind"),
        kept("scope", TEXT, by="scope"),
        kept("reason", TEXT, by="reason", text="why it was frozen or lifted last"),
        kept("purchase", TEXT, nullable=True, text="whose loss it is for"),
        kept("of_finance", BOOLEAN),
    )

    @classmethod
    def ids_of(cls, event: Event) -> Iterable[str]:
        """The scope of the wallet or creator."""
        assert isinstance(event, FreezeEvent)
        return (f"{event.kind}-{event.subject}-{event.scope}",)
