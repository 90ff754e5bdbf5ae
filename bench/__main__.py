"""Measures everything in one run, prints a table and writes bench/results.json."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import (
    bulk,
    calls,
    hot_creator,
    http,
    imports,
    kafka,
    long_log,
    many_books,
    million,
    moments,
    neighbours,
    read_models,
    registers,
)
from bench.stage import Stage, stage
from ledger import gc_tuning as collector

RESULTS = Path(__file__).with_name("results.json")
MUST: dict[str, tuple[str, float]] = {
    "bulk_vs_copy": (">=", 0.5),
    "import_vs_bulk": (">=", 0.5),
    "http_bulk_vs_copy": (">=", 0.25),
    "http_single_vs_echo": (">=", 0.5),
    "cold_vs_warm": (">=", 0.3),
    "growth": ("<=", 1.25),
    "two_writers": (">=", 0.7),
    "projector_vs_writer": (">=", 1.0),
    "calls_vs_copy": (">=", 0.4),
    "payout_hot": ("<=", 2.0),
    "million_hold_ms": ("<=", 100.0),
    "books_1000": ("<=", 5.0),
    "books_1000_connections": ("<=", 60.0),
    "neighbour_p99_ms": ("<=", 250.0),
    "rss_mb": ("<=", 600.0),
    "kafka_commands_vs_bulk": (">=", 0.4),
    "relay_vs_producer": (">=", 0.6),
    "kafka_project_vs_local": (">=", 0.5),
    "relay_lag_p99_ms": ("<=", 250.0),
    "journal_vs_copy": (">=", 0.5),
    "lag_p99_ms": ("<=", 100.0),
    "balance_as_of_growth": ("<=", 1.5),
    "bitemporal_growth": ("<=", 1.5),
    "list_page_growth": ("<=", 1.5),
}
#: What is measured, in this order; `long` needs the rate of `bulk` as well.
PARTS: dict[str, Callable[[Stage], dict[str, float]]] = {
    "bulk": bulk.measure,
    "import": imports.measure,
    "http": http.measure,
    "calls": calls.measure,
    "payouts": hot_creator.measure,
    "million": million.measure,
    "long": lambda place: _long(place, {}),
    "writers": long_log.two_writers,
    "memory": long_log.memory,
    "neighbours": neighbours.measure,
    "read_models": read_models.measure,
    "moments": moments.measure,
    "registers": registers.measure,
    "kafka": kafka.measure,
    "books": many_books.measure,  # the last: a projector of others would follow a thousand books
}


def main(parts: list[str]) -> None:
    """Run the named parts, or all of them."""
    wanted = parts or list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        sys.exit(f"there is no part {', '.join(sorted(unknown))}; parts: {', '.join(PARTS)}")
    console = Console(stderr=True)
    figures: dict[str, float] = {}
    collector.relax()
    with stage() as place:
        for part in wanted:
            with console.status(f"measuring: {part}"):
                figures |= _measure(part, place, figures)
    if wanted == list(PARTS):
        RESULTS.write_text(json.dumps(figures, indent=2) + "\n")
    Console().print(_table(figures))


def _measure(part: str, place: Stage, figures: dict[str, float]) -> dict[str, float]:
    if part == "long":
        return _long(place, figures)
    if part == "kafka" and (lacking := kafka.missing()):
        print(f"kafka is not measured: {lacking}", file=sys.stderr)
        return {}
    return PARTS[part](place)


def _long(place: Stage, figures: dict[str, float]) -> dict[str, float]:
    long = long_log.build(place)
    rate = figures.get("commands_per_s") or bulk.measure(place)["commands_per_s"]
    return (
        long_log.growth(place, long)
        | long_log.cold(place, long)
        | long_log.projector(place, long, rate)
    )


def _table(figures: dict[str, float]) -> Table:
    table = Table(title="tokenledger benchmarks")
    table.add_column("figure")
    table.add_column("measured", justify="right")
    table.add_column("must be", justify="right")
    table.add_column("")
    for name, value in figures.items():
        sign, bound = MUST.get(name, ("", 0.0))
        reached = "" if not sign else _verdict(value, sign, bound)
        table.add_row(name, f"{value:,.3f}", f"{sign} {bound:g}" if sign else "", reached)
    return table


def _verdict(value: float, sign: str, bound: float) -> str:
    reached = value >= bound if sign == ">=" else value <= bound
    return "[green]reached[/]" if reached else "[red]not reached[/]"


if __name__ == "__main__":
    main(sys.argv[1:])
