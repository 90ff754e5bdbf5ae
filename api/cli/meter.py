"""`tokenledger meter`: the scheduler in a process of its own.

It sends the commands that are due: calls are metered, holds released, authorisations voided, tiers
changed. A service does that beside its other work; several schedulers at once do no harm.
"""

import signal
from typing import Annotated

import typer

from api.cli.terminal import opened, out, settings
from api.http import server
from api.service import Service
from ledger.scheduling.scheduler import Scheduler
from projections.tier_changes import TierChanges


def meter(
    *,
    book: Annotated[list[str] | None, typer.Option(help="Only this book. Can be repeated.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Send what is due now, then exit.")] = False,
) -> None:
    """Meter calls, release expired holds and void expired authorisations, on time; change tiers.

    Runs until SIGTERM or Ctrl-C. `serve` does the same; any number may run at once.
    """
    found = settings()
    if not once:  # waited for by name below; blocked before any thread starts
        signal.pthread_sigmask(signal.SIG_BLOCK, server.STOP_SIGNALS)
    with opened(found, supervise=True) as where:
        service = Service(found, where)
        service.start()
        scheduler = Scheduler(where, service.writer, books=book or None, forecasts=[TierChanges()])
        try:
            if once:
                out.print(f"{scheduler.turn()} commands sent")
                scheduler.close()
            else:
                scheduler.start()
                signal.sigwait(server.STOP_SIGNALS)
                scheduler.stop()
        finally:
            service.stop()
