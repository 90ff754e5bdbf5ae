"""`tokenledger simulate --year`: a year of a platform, in a book of its own.

Writes to the database itself, through the write path: a service's clock is real, so no service
takes commands of last year. The book's name says that it is simulated.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import typer
from rich import box
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.table import Table

from api.cli.books import profile_document
from api.cli.terminal import CommandFailed, opened, out, progress_bar
from api.currencies import money
from api.simulation.year.book import simulate_year
from api.simulation.year.plan import SCENES
from api.simulation.year.platform import Extent
from api.simulation.year.run import PlanRefused, YearTallies
from ledger.books import SIMULATED, Book
from ledger.log import reading
from ledger.postgres.database import Database, connect
from projections import queries
from projections.rebuild import catch_up

SIZES = {"small": 40, "medium": 1_000}
MONTHS_MAX = 24
_MONTH = timedelta(days=365) / 12


@dataclass(frozen=True, slots=True)
class YearWanted:
    """What the command line asks for."""

    profile: str
    book: str | None
    size: str
    seed: int
    begins: datetime | None
    months: int


def live_a_year(wanted: YearWanted) -> None:
    """Make the book, live through the time, bring the read models up to it, and report."""
    if wanted.profile not in SCENES:
        raise typer.BadParameter(f"--profile is one of {', '.join(SCENES)}")
    extent = extent_of(wanted.size, wanted.begins, wanted.months)
    name = wanted.book or f"{SIMULATED}{wanted.profile}-{wanted.seed}"
    with opened() as where:
        document = profile_document(wanted.profile)
        book, tallies = with_progress(where, name, document, extent, seed=wanted.seed)
        report(where, book, tallies)


def extent_of(size: str, begins: datetime | None, months: int) -> Extent:
    """Fans and time; raises BadParameter for a size that is none, or time that is to come."""
    fans = SIZES.get(size) or (int(size) if size.isdecimal() else 0)
    if not 3 <= fans <= 1_000_000:
        raise typer.BadParameter(f"--size is {', '.join(SIZES)}, or a number of fans from 3 on")
    days = timedelta(days=round(_MONTH.total_seconds() * months / 86_400))
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = begins.replace(tzinfo=UTC) if begins else today - days
    if first + days > today:
        raise typer.BadParameter(f"{months} months from {first:%Y-%m-%d} on are not over yet")
    return Extent(fans, first, first + days)


def with_progress(
    where: Database, name: str, document: dict[str, Any], extent: Extent, *, seed: int
) -> tuple[Book, YearTallies]:
    """The simulation and then the read models, with a bar and an estimate each."""
    with progress_bar() as progress:
        total = (extent.ends - extent.begins).days
        task = progress.add_task(f"{extent.fans:,} fans of {document['profile']}", total=total)
        try:
            book, tallies = simulate_year(
                where,
                name,
                document,
                extent,
                seed=seed,
                day_ended=lambda _tallies: progress.advance(task),
            )
        except PlanRefused as error:
            raise CommandFailed(f"the plan is wrong: {error}") from None
        models = progress.add_task("read models", total=tallies.position)
        catch_up(
            where.service_url,
            book.schema,
            passed=lambda events: progress.advance(models, events),
        )
    return book, tallies


def report(where: Database, book: Book, tallies: YearTallies) -> None:
    """Events by type, answers, money by class, and how fast it went."""
    with connect(where.service_url, book.schema, read_models=True, autocommit=True) as connection:
        events = reading.types(connection)
        balance = queries.trial_balance_by_class(connection)
    rate = tallies.commands / tallies.elapsed_s if tallies.elapsed_s else 0
    out.print(Columns([_events(events), _money(balance)], padding=(0, 4)))
    out.print(_refused(tallies))
    out.print(
        f"{book.name}: {sum(events.values()):,} events of {tallies.commands:,} commands, of which "
        f"time itself sent {tallies.scheduled:,}, in {tallies.elapsed_s:.1f} s: {rate:,.0f}/s"
    )


def _table(title: str, *columns: str) -> Table:
    table = Table(*columns, title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _events(events: dict[str, int]) -> RenderableType:
    table = _table("events", "type", "times")
    for name, count in events.items():
        table.add_row(name, f"{count:,}")
    return table


def _money(balance: dict[str, Any]) -> RenderableType:
    table = _table("trial balance", "class", "debit", "credit")
    for row in [*balance["rows"], *({"account": "total", **each} for each in balance["totals"])]:
        asset: str = row["asset"]
        table.add_row(row["account"], *(_figure(row[side], asset) for side in ("debit", "credit")))
    return table


def _figure(amount: int, asset: str) -> str:
    if not amount:
        return ""
    return f"{amount:,} {asset.rpartition('.')[2]}" if "." in asset else money(amount, asset)


def _refused(tallies: YearTallies) -> RenderableType:
    table = _table("what was not simply accepted", "command", "outcome", "code", "times")
    for (command, outcome, code), times in sorted(tallies.outcomes.items()):
        if outcome != "accepted":
            table.add_row(command, outcome, code, f"{times:,}")
    return Group(table)
