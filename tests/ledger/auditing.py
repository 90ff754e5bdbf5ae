"""The auditor reads a real log: every command must have got the answer that the auditor gives."""

from typing import Any

import msgspec

from ledger.request import Answer
from tests.anything import POLICY
from tests.auditor import Auditor
from tests.scenarios.platform import Platform
from tests.scenarios.words import Sent


def audit(platform: Platform, outcomes: list[tuple[Sent, Answer]]) -> None:
    """Let the auditor hear everything in the order of the log; then compare the accounts.

    What left no event was decided at the position that its answer names.
    """
    auditor = Auditor(POLICY, platform.book.name)
    order = sorted(outcomes, key=lambda pair: (pair[1].position, not pair[1].events))
    for sent, answer in order:
        verdict = auditor.hears(sent.command, sent.fields)
        told = msgspec.json.decode(answer.body)
        assert told.get("code") == verdict.code, (sent, verdict, told)
        shown: dict[str, Any] = told["details"] if answer.status >= 400 else {}
        if answer.events:
            shown = told["events"][0]["body"]
        assert {n: shown.get(n, 0) for n in verdict.numbers} == verdict.numbers, (sent, told)
    balances = {key: amount for key, amount in platform.balances().items() if amount}
    assert balances == {key: amount for key, amount in auditor.accounts.items() if amount}
