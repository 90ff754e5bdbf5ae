"""A line of a processor's settlement as the command that records it.

A line is known by its processor and its own reference, never by the file in which it came: a
report that grew, or that overlaps with another, brings in only the lines that are new.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from api.imports.values import Complaint

COMMAND = "import-settlement"


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

    @property
    def key(self) -> str:
        """The key of its request."""
        return f"settlement:{self.processor}:{self.line_ref}"

    def command_fields(self) -> dict[str, Any]:
        """The fields of its command; raises Complaint where the ledger takes no such line."""
        lines: list[dict[str, Any]] = []
        fee = self.fee
        if self.kind == "PAYMENT" and self.gross > 0:
            lines.append({"payment_ref": self.processor_ref, "amount": self.gross})
        elif self.kind == "FEE":
            fee -= self.gross
        else:
            raise Complaint(
                None,
                f"import-settlement takes payments and fees, no {self.kind} of {self.gross}; "
                "refunds, disputes and payouts are reported by commands of their own",
                "LINE_KIND",
            )
        if fee < 0:
            raise Complaint(None, "gives a fee back, which import-settlement cannot say", "FEE")
        identity = f"{self.processor}\0{self.line_ref}".encode()
        return {
            "processor": self.processor,
            "file_sha256": sha256(identity).hexdigest(),
            "lines": lines,
            "fee": fee,
        }
