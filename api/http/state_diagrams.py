"""The page of state machines, `docs/state_machines.md`: drawn from the tables that commands ask.

`python -m api.http.state_diagrams` writes it anew.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from domain.authorizations import authorization
from domain.calls import call
from domain.controls import adjustments, second_persons
from domain.disputes import dispute
from domain.holds import hold
from domain.offers import offer
from domain.payouts import payout
from domain.refunds import refund
from domain.settlements import settlement
from domain.subscriptions import subscription
from domain.transitions import Transitions

PAGE = Path(__file__).parents[2] / "docs" / "state_machines.md"

MACHINES = {
    "Payouts": payout,
    "Refunds by card": refund,
    "Disputes": dispute,
    "Holds": hold,
    "Authorisations": authorization,
    "Calls": call,
    "Subscriptions": subscription,
    "Offers": offer,
    "Breaks": settlement,
    "Adjustments": adjustments,
    "Proposals": second_persons,
}

_INTRODUCTION = """\
# State machines

Where a thing can be in its life, and which step takes it where. Drawn from the tables called
`TRANSITIONS` by `python -m api.http.state_diagrams`; a test fails when this page is behind them.
A step is named by its command, or by its cause where no command of its own takes it. What no arrow
allows is rejected with `INVALID_TRANSITION`, or with `HOLD_NOT_OPEN` or `CALL_NOT_ACTIVE` where
those say it better; a notice of it is suspended or changes nothing.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *(_section(*machine) for machine in MACHINES.items())])


def _section(title: str, module: Any) -> str:
    file = f"{module.__name__.replace('.', '/')}.py"
    lines = "\n".join(f"    {line}" for line in _arrows(module.TRANSITIONS))
    return f"## {title}\n\n`{file}`\n\n```mermaid\nstateDiagram-v2\n{lines}\n```\n"


def _arrows(table: Transitions[Any]) -> Iterator[str]:
    """One line a step, and where everything ends."""
    for (status, step), following in table.items():
        yield f"{'[*]' if status is None else status} --> {following}: {step}"
    left = {status for (status, _), following in table.items() if status != following}
    for status in dict.fromkeys(table.values()):
        if status not in left:
            yield f"{status} --> [*]"


if __name__ == "__main__":
    PAGE.write_text(page())
