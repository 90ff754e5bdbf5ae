"""Breaks: where settlement files and the ledger differ, who looks after it, and how it ended."""

from collections.abc import Iterable
from typing import Any

from domain.event import Event
from domain.settlements.breaks import BreakResolved
from domain.settlements.settlement import Break, BreakStatus, SettlementEvent
from projections.engine.columns import INTEGER, TEXT, first, kept, said
from projections.engine.register import Register, lives


class Breaks(Register):
    """Breaks, in minor units: `difference` is how much more the bank got than the ledger expects.

    A payment that no file mentions is here once somebody was assigned or has dismissed it. Breaks
    of before breaks had names are in the log alone.
    """

    name, item = "breaks", "break"
    version = 1
    by_reference = True
    state = Break
    statuses = tuple(status.upper() for status in BreakStatus)
    branches = lives(SettlementEvent)
    columns = (
        kept("code", TEXT, lambda one: one.code or "MISSING_IN_FILE", by="code"),
        kept("kind", TEXT),
        kept("processor", TEXT, lambda one: one.processor or None, nullable=True, by="processor"),
        kept(
            "processor_ref",
            TEXT,
            lambda one: one.payment_ref,
            nullable=True,
            by="processor_ref",
            text="which its lines name",
        ),
        kept("file", TEXT, lambda one: one.file_sha256 or None, nullable=True, by="file"),
        kept("gross", INTEGER),
        kept("suspense", INTEGER, text="what of it waits in suspense"),
        kept("difference", INTEGER),
        kept("owner", TEXT, nullable=True, by="owner"),
        said("resolution", TEXT, first(BreakResolved, field="resolution")),
        said("reason", TEXT, first(BreakResolved, field="reason")),
    )

    @classmethod
    def ids_of(cls, event: Event) -> Iterable[str]:
        """Its name, which may be made of a reference."""
        prefix = cls.prefix
        return [tag[len(prefix) :] for tag in event.tags() if tag.startswith(prefix)]

    @classmethod
    def status_of(cls, state: Any) -> str:
        """OPEN for one that there is because somebody was assigned."""
        broken: Break = state
        return (broken.status or BreakStatus.OPEN).upper()
