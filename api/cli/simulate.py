"""`tokenledger simulate`: a day of a platform against a running service, a year, or a file.

Speaks HTTP with a key like any other client, so it loads whatever it is pointed at: a service on
this machine or a deployment with several.
"""

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer
import uvloop
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from api.cli.simulate_year import MONTHS_MAX, YearWanted, live_a_year
from api.cli.terminal import err, fail, out
from api.simulation.day_plan import Day, Size, UnfitPolicy
from api.simulation.driver import Simulation, SimulationFailed, Tallies
from api.simulation.http_client import Address, Wire
from api.simulation.sample_tips import Shape, write_tips
from api.simulation.tallies import summary
from domain.controls.policy_changes import POLICIES, PolicyPublished
from domain.policy import Policy

_USUAL = Size()
_SAMPLE = Shape()

Key = Annotated[
    str | None,
    typer.Option(envvar="TOKENLEDGER_KEY", help="An API key of this book with the role service."),
]
Url = Annotated[str, typer.Option(help="The service's address.")]
Users = Annotated[int, typer.Option(min=1, help="Users of the platform.")]
Creators = Annotated[int, typer.Option(min=1, help="Creators of the platform.")]
Commands = Annotated[int, typer.Option(min=1, help="Commands to send, replays included.")]
DayOption = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="The day to simulate. Default: yesterday."),
]
Connections = Annotated[int, typer.Option(min=1, max=1_000, help="Parallel connections.")]
Bulk = Annotated[float, typer.Option(min=0, max=1, help="Share of commands sent in bulk.")]
Tips = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Only write a sample file for `import`.")
]
IsYear = Annotated[
    bool, typer.Option("--year", help="A year instead, in a new book whose name begins with sim-.")
]
YearSize = Annotated[
    str, typer.Option(metavar="small|medium|FANS", help="How big the platform is in the end.")
]
Begins = Annotated[
    datetime | None,
    typer.Option("--from", formats=["%Y-%m-%d"], help="The year's first day. Default: a year ago."),
]


def simulate(
    *,
    book: Annotated[str | None, typer.Option(help="The book to send commands to.")] = None,
    key: Key = None,
    url: Url = "http://127.0.0.1:8000",
    users: Users = _USUAL.users,
    creators: Creators = _USUAL.creators,
    commands: Commands = _USUAL.commands,
    seed: Annotated[int, typer.Option(help="The same seed gives the same day, or year.")] = 1,
    day: DayOption = None,
    connections: Connections = 32,
    bulk: Bulk = 0.5,
    tips: Tips = None,
    rows: Annotated[int, typer.Option(min=1, help="Rows of the sample file.")] = _SAMPLE.rows,
    year: IsYear = False,
    profile: Annotated[str, typer.Option(help="The year's platform.")] = "micro-unlock",
    size: YearSize = "small",
    begins: Begins = None,
    months: Annotated[int, typer.Option(min=1, max=MONTHS_MAX, help="Months of the year.")] = 12,
) -> None:
    """Send a simulated day of a platform to a service, or write a simulated year of one into a
    book of its own. Exits with 1 if an answer is wrong.
    """
    if year:
        live_a_year(YearWanted(profile, book, size, seed, begins, months))
        return
    if tips is not None:
        write_tips(tips, Shape(rows=rows), seed)
        out.print(f"wrote {rows:,} rows to {escape(str(tips))}", highlight=False)
        return
    if book is None or key is None:
        raise typer.BadParameter("--book and --key are needed (or --tips FILE)")
    day_size = Size(users, creators, commands)
    midnight = day.replace(tzinfo=UTC) if day else last_midnight()
    try:
        address = Address.of(url)
        tallies = uvloop.run(
            simulated_day(
                address,
                book,
                key,
                size=day_size,
                seed=seed,
                midnight=midnight,
                connections=connections,
                bulk_share=bulk,
            )
        )
    except (SimulationFailed, UnfitPolicy, ConnectionError, ValueError) as error:
        raise fail(f"the simulation ended: {error}", 1) from None
    out.print(summary(tallies))


def last_midnight() -> datetime:
    """When yesterday began: a whole day that is over."""
    return datetime.combine(datetime.now(UTC).date() - timedelta(days=1), time(), UTC)


async def simulated_day(
    address: Address,
    book: str,
    key: str,
    *,
    size: Size,
    seed: int,
    midnight: datetime,
    connections: int = 32,
    bulk_share: float = 0.5,
) -> Tallies:
    """Plan the day under the book's policy and send it, with a progress bar."""
    wire = Wire(address, {"Authorization": f"Bearer {key}"})
    try:
        policy = await policy_at(wire, book, midnight)
    finally:
        wire.close()
    steps = list(Day(policy, size, seed=seed, midnight=midnight).steps())
    columns = (
        TextColumn(f"a day with {size.users:,} users"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err) as progress:
        task = progress.add_task("", total=len(steps))
        simulation = Simulation(
            address,
            book,
            key,
            connections=connections,
            bulk_share=bulk_share,
            on_answers=lambda answers: progress.advance(task, answers),
        )
        return await simulation.run(steps)


async def policy_at(wire: Wire, book: str, instant: datetime) -> Policy:
    """The policy that the log says was in force; raises SimulationFailed."""
    reply = await wire.get(f"/v1/books/{book}/events?tag={POLICIES}&limit=1000")
    if reply.status != 200:
        raise SimulationFailed(f"the book's policy was answered {reply.status}: {reply.body!r}")
    published = [
        msgspec.convert(entry["body"], PolicyPublished)
        for entry in msgspec.json.decode(reply.body)["events"]
        if entry["type"] == PolicyPublished.type
    ]
    for version in reversed(published):
        if version.effective_from <= instant:
            return Policy.model_validate(version.body)
    raise SimulationFailed(
        f"no policy of {book} is in force from {instant:%Y-%m-%d} on: publish one that is"
    )
