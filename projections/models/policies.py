"""Policies: every version of the book's policy, who proposed and who approved it, and from when."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from domain.controls.policy_changes import PolicyEvent, PolicyProposed, PolicyPublished
from domain.controls.proposals import ProposalStatus
from domain.event import Event
from projections.engine.columns import TEXT, TIME, first, kept, said
from projections.engine.register import Detail, Life, Register, lives

PROPOSED, PUBLISHED = ProposalStatus.PROPOSED.upper(), "PUBLISHED"


class VersionOfPolicy(Life, frozen=True, kw_only=True):
    """A version, and its document."""

    KIND: ClassVar[str] = "policy_version"

    effective_from: datetime | None = None
    proposer: str = ""
    body: dict[str, Any] = msgspec.field(default_factory=dict)

    def apply(self, key: str, event: Event) -> "VersionOfPolicy":
        """Proposed, then published."""
        assert isinstance(event, PolicyEvent)
        return VersionOfPolicy(
            status=PUBLISHED if isinstance(event, PolicyPublished) else PROPOSED,
            effective_from=event.effective_from,
            proposer=event.proposer,
            body=event.body,
        )


class PolicyVersions(Register):
    """Versions of the policy; asked for alone, one says its whole document, `body`."""

    name, item = "policies", "policy"
    version = 1
    state = VersionOfPolicy
    statuses = (PROPOSED, PUBLISHED)
    branches = lives(PolicyEvent)
    columns = (
        kept("effective_from", TIME),
        kept("proposer", TEXT, by="requested_by"),
        said("sender", TEXT, first(PolicyProposed, field="sender")),
        said("approver", TEXT, first(PolicyPublished, field="approver")),
    )
    details = (Detail("body", dict[str, Any], lambda version: version.body),)

    @classmethod
    def ids_of(cls, event: Event) -> Iterable[str]:
        """Its version."""
        assert isinstance(event, PolicyEvent)
        return (str(event.version),)
