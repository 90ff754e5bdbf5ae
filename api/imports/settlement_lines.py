"""A line of a processor's settlement as the command that records it.

The ledger knows a line by its processor and its own reference, whichever file it comes in: a
report that grew, or that overlaps with another, brings in only the lines that are new.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.imports.csv_rows import UnreadableFile

COMMAND = "import-settlement"


def file_sha256(path: Path) -> str:
    """The hash by which the ledger names the file; raises UnreadableFile."""
    if path.exists() and not path.is_file():
        raise UnreadableFile(
            f"{path} is no file on disk; a settlement is named by its file's hash, so save it first"
        )
    try:
        with path.open("rb") as raw:
            return hashlib.file_digest(raw, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableFile(f"{path}: {error.strerror or error}") from None


@dataclass(frozen=True, slots=True)
class SettlementLine:
    """One movement of a processor's balance, in minor units.

    `gross` as it changes the balance; `fee` is what was kept, negative where it is given back.
    """

    processor: str
    kind: str
    line_ref: str
    gross: int
    fee: int = 0
    processor_ref: str | None = None
    value_date: str | None = None

    def command_fields(self, sha256: str, number: int, currency: str) -> dict[str, Any]:
        """The fields of its command: it stands in line `number` of the file with that hash."""
        line = {
            "line_ref": self.line_ref,
            "kind": self.kind,
            "processor_ref": self.processor_ref,
            "gross": self.gross,
            "fee": self.fee,
            "currency": currency,
            "value_date": self.value_date,
        }
        return {
            "processor": self.processor,
            "file_sha256": sha256,
            "first_line": number,
            "lines": [{name: value for name, value in line.items() if value is not None}],
        }
