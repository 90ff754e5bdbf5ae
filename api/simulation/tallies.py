"""A run's figures for people: what was sent and how it was answered."""

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table

from api.simulation.driver import Tallies


def summary(tallies: Tallies) -> RenderableType:
    """What was sent and how it was answered, for people."""
    table = Table("command", "outcome", "code", "answers", box=box.SIMPLE_HEAD)
    table.columns[-1].justify = "right"
    previous = ""
    for (command, outcome, code), times in sorted(tallies.outcomes.items()):
        shown = command if command != previous else ""
        style = {"accepted": "green", "replayed": "cyan", "suspended": "magenta"}.get(
            outcome, "yellow"
        )
        table.add_row(shown, f"[{style}]{outcome}[/]", code, f"{times:,}")
        previous = command
    return Group(table, figures(tallies))


def figures(tallies: Tallies) -> RenderableType:
    """Throughput, latency, replays."""
    lines = Table.grid(padding=(0, 2))
    rate = tallies.sent / tallies.elapsed_s if tallies.elapsed_s else 0
    lines.add_row("answers", f"{tallies.sent:,} in {tallies.elapsed_s:.1f} s: {rate:,.0f}/s")
    lines.add_row(
        "single commands",
        f"{tallies.singles:,}; half within {tallies.quantile_ms(0.5):.1f} ms, "
        f"99 of 100 within {tallies.quantile_ms(0.99):.1f} ms",
    )
    lines.add_row("bulk requests", f"{tallies.bulk_requests:,}")
    lines.add_row("sent again", f"{tallies.replays:,}, each answered with the same bytes")
    if tallies.waited:
        lines.add_row("waited", f"{tallies.waited:,} times for the service")
    return lines
