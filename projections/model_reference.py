"""The page of read models, `docs/read_models.md`: made from the read models and the events.

`python -m projections.model_reference` writes it anew.
"""

from inspect import getdoc, getmodule
from pathlib import Path

import domain.catalogue  # noqa: F401 -- registers every event
from domain.event import EVENTS, Event
from projections.catalogue import PROJECTIONS
from projections.engine.projection import Projection

PAGE = Path(__file__).parents[1] / "docs" / "read_models.md"

_INTRODUCTION = """\
# Read models

What can be asked is answered from these tables, which follow from the log and can be rebuilt from
it at any time (`tokenledger rebuild`). This page is made from the read models themselves by
`python -m projections.model_reference`; a test fails when it is not what they say. How each one is
built and brought up to date is in [architecture.md](architecture.md).

A read model decides about the events of its facets: base classes that the domain gives its events,
such as `WalletEvent`. An event of a facet that no read model's author has decided about stops that
read model and fails `tests/projections/test_decisions.py`; an event outside the facets need not be
named.
"""

_EVENTS = """
## Events and read models

| In the table | What the read model does with the event |
|---|---|
| **yes** | has a branch for it, and sums its postings too if it keeps balances |
| postings | takes what it posts, and nothing else |
| – | was asked, since the event is of its facets, and changes nothing |
| | is not concerned |
"""


def page() -> str:
    """The whole page as Markdown."""
    sections = "".join(_section(model) for model in PROJECTIONS)
    return f"{_INTRODUCTION}{sections}{_EVENTS}\n{_table()}"


def _section(model: type[Projection]) -> str:
    keys = (f"`{table.name}` by `{', '.join(table.key)}`" for table in model.tables)
    lines = [
        f"\n## {model.name}\n",
        f"{getdoc(getmodule(model))}\n",
        f"- Tables: {', '.join(keys)}.",
        f"- Version {model.version}.",
    ]
    if model.branches is None:
        lines.append("- Decides about no event: it takes the postings of all.")
    else:
        facets = (f"`{facet.__name__}`" for facet in model.branches.decides_about)
        lines.append(f"- Decides about every {', '.join(facets)}.")
    return "\n".join(lines) + "\n"


def _table() -> str:
    names = [model.name for model in PROJECTIONS]
    rows = [_row("Event", *names), "|" + "---|" * (len(names) + 1) + "\n"]
    for name, event in sorted(EVENTS.items()):
        rows.append(_row(f"`{name}`", *(_decision(model, event) for model in PROJECTIONS)))
    return "".join(rows)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def _decision(model: type[Projection], event: type[Event]) -> str:
    branches = model.branches
    if branches is None:
        return "postings" if event.postings is not Event.postings else ""
    if branches.has_branch(event):
        return "**yes**"
    if event.type in branches.postings:
        return "postings"
    return "–" if event.type in branches.nothing else ""


if __name__ == "__main__":
    PAGE.write_text(page())
