"""Words of settlement files: their lines, and who decides where they differ from the ledger."""

import itertools
from typing import TYPE_CHECKING, Any

import msgspec

from tests.scenarios.steps import Sent
from tests.scenarios.steps_finance import FAY

if TYPE_CHECKING:
    from tests.scenarios.stage import Expectation, Stage

_numbers = itertools.count(1)


def line(kind: str, gross: int, ref: str | None = None, **more: Any) -> dict[str, Any]:
    """A line with a reference of its own, about the payment, refund or dispute `ref`."""
    about = {} if ref is None else {"processor_ref": ref}
    return {"line_ref": f"txn_{next(_numbers)}", "kind": kind, "gross": gross, **about, **more}


def settlement(name: str, *lines: dict[str, Any], **more: Any) -> Sent:
    """Fay imports the processor's file of this name."""
    file = {"processor": "stripe", "file_sha256": name.encode().hex().ljust(64, "0")}
    return Sent("import-settlement", {**file, "lines": list(lines), **more}, *FAY)


def settled(bank: int, cost: int = 0, psp: int = 0, suspense: int = 0) -> "Expectation":
    """What the bank got, what the processor cost and still has, and what nobody knows."""
    accounts = {"bank": bank, "exp.processor": cost, "psp.stripe": psp, "suspense": -suspense}

    def check(stage: "Stage") -> None:
        assert {name: stage.balance(name) for name in accounts} == accounts

    return check


def breaks(*differences: tuple[str, int]) -> "Expectation":
    """The breaks that are open: code and difference of each, in the order of their opening."""

    def check(stage: "Stage") -> None:
        assert list(_open(stage).values()) == list(differences)

    return check


def resolved(stage: "Stage", resolution: str) -> Sent:
    """Fay decides on the break that was opened last."""
    *_, name = _open(stage)
    fields = {"break": name, "resolution": resolution, "reason_code": "CHECKED"}
    return Sent("resolve-break", fields, *FAY)


def _open(stage: "Stage") -> dict[str, tuple[str, int]]:
    found: dict[str, tuple[str, int]] = {}
    for entry in stage.entries():
        if entry.type.startswith("break."):
            body = msgspec.json.decode(entry.body)
            if entry.type == "break.resolved.v1":
                del found[body["break_id"]]
            elif "difference" in body:
                found[body["break_id"]] = body["code"], body["difference"]
    return found
