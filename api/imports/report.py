"""What became of a file: every row, every physical line, and the first complaints."""

from collections import Counter
from dataclasses import dataclass, field

from api.imports.csv_rows import BrokenLine

#: Complaints kept to be shown; all are counted.
SHOWN_MAX = 20


@dataclass(slots=True)
class Tally:
    """So many rows on so many physical lines, adding up to `units`."""

    rows: int = 0
    units: int = 0
    lines: int = 0

    def count(self, units: int, lines: int = 1) -> None:
        """One row more."""
        self.rows += 1
        self.units += units
        self.lines += lines


@dataclass(slots=True)
class Report:
    """What became of a file's rows.

    `repeated`: the same row twice in this file. `skipped`: the map says so. `unanswered`: whether
    they are in the ledger is not known, because the database went away.
    """

    noun: str = "rows"
    lines_read: int = 0
    header_lines: int = 0
    blank_lines: int = 0
    read: Tally = field(default_factory=Tally)
    new: Tally = field(default_factory=Tally)
    known: Tally = field(default_factory=Tally)
    repeated: Tally = field(default_factory=Tally)
    skipped: Tally = field(default_factory=Tally)
    unanswered: Tally = field(default_factory=Tally)
    refused: Counter[str] = field(default_factory=Counter)
    refused_lines: int = 0
    kept: Counter[str] = field(default_factory=Counter)
    complaints: list[BrokenLine] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """Rows that are not in the ledger though they should be."""
        return self.refused.total()

    @property
    def clean(self) -> bool:
        """Whether every line is somebody's, and every row in the ledger that belongs there."""
        return not self.refused and not self.unanswered.rows and not self.lines_of_nobody

    @property
    def lines_of_nobody(self) -> int:
        """Physical lines that were read and are in no tally: always 0, or an import is wrong."""
        tallies = (self.new, self.known, self.repeated, self.skipped, self.unanswered)
        counted = self.header_lines + self.blank_lines + self.refused_lines
        return self.lines_read - counted - sum(tally.lines for tally in tallies)

    def tallies(self) -> tuple[tuple[str, Tally], ...]:
        """The tallies with their names, for people; those that seldom occur only if they do."""
        always = (
            ("read", self.read),
            (f"new {self.noun}", self.new),
            ("known from before", self.known),
            ("repeated in the file", self.repeated),
        )
        seldom = (("passed over by the map", self.skipped), ("not answered", self.unanswered))
        return always + tuple((name, tally) for name, tally in seldom if tally.rows)

    def lines(self) -> str:
        """Where every physical line went, as a sum that must be right."""
        known = self.known.lines + self.repeated.lines
        parts = [
            f"{self.header_lines:,} header",
            f"{self.blank_lines:,} blank",
            f"{self.new.lines:,} taken",
            f"{known:,} known",
            f"{self.skipped.lines:,} passed over",
            f"{self.refused_lines:,} complained of",
        ]
        if self.unanswered.lines:
            parts.append(f"{self.unanswered.lines:,} not answered")
        return f"{self.lines_read:,} lines = {' + '.join(parts)}"

    def complain(self, complaint: BrokenLine) -> None:
        """Count a row that is not in the ledger, and keep the first few to be shown."""
        self.refused[complaint.code] += 1
        self.refused_lines += complaint.lines
        if len(self.complaints) < SHOWN_MAX:
            self.complaints.append(complaint)
