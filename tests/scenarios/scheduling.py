"""A scheduler for the book that a scenario plays on."""

from contextlib import closing

from ledger.postgres.database import Database
from ledger.scheduling.scheduler import Scheduler
from tests.scenarios.write_path import WritePath


def scheduler(stage: WritePath) -> Scheduler:
    """A scheduler of this platform's book alone, through its writer."""
    fresh = stage.fresh
    database = Database(fresh.service_url, fresh.admin_url)
    return Scheduler(database, lambda _: stage.writer, books=[stage.book.name])


def scheduled(stage: WritePath) -> int:
    """One turn of a scheduler that was not there before."""
    with closing(scheduler(stage)) as one:
        return one.turn()
