"""What a book keeps beside its log, and what verification finds in it."""

from ledger.verification.difference import Difference
from ledger.verification.log import verify_log
from ledger.verification.snapshots import verify_snapshots
from tests.scenarios.steps import Sent
from tests.scenarios.write_path import WritePath


def inbox(stage: WritePath) -> dict[str, tuple[str, str | None, int | None]]:
    """What the inbox holds: (state, awaited tag, position), by reference."""
    with stage.fresh.connect() as connection:
        rows = connection.execute("SELECT processor_ref, state, awaits, position FROM inbox")
        return {ref: (state, awaits, position) for ref, state, awaits, position in rows}


def differences(stage: WritePath, *, decide_after: int = 0) -> list[Difference]:
    """What verification finds."""
    with stage.fresh.connect(autocommit=True) as connection:
        return [
            *verify_log(connection, stage.book, decide_after=decide_after),
            *verify_snapshots(connection),
        ]


def refunded(cumulative: int, ref: str = "refund", sale: str = "tip") -> Sent:
    """A processor's report."""
    fields = {"sale": sale, "cumulative": cumulative, "processor": "stripe", "processor_ref": ref}
    return Sent("record-refund", fields)
