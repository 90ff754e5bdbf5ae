"""How far the read models are is told of any log, also of a damaged one."""

from eventsourcing.dcb.api import DCBEvent

from ledger.log.dcb_recorder import PlainLog
from ledger.postgres import database as doors
from projections.catalogue import all_projections
from projections.engine.install import install
from projections.queries import status
from tests.conftest import FreshBook
from tests.ledger.verification.damage import damage


def test_a_log_that_lacks_its_next_event_still_has_a_status(fresh_book: FreshBook) -> None:
    schema = fresh_book.book.schema
    with doors.pool(fresh_book.service_url, schema, connections_max=1) as pool:
        PlainLog(pool).append([DCBEvent("t", b"1", ["a"]), DCBEvent("t", b"2", ["a"])])
    with fresh_book.connect(autocommit=True) as connection:
        install(connection, all_projections())
        assert all(model.lag_events == 2 and model.lag_s > 0 for model in status(connection))
        damage(fresh_book, "DELETE FROM events WHERE position = 1")
        assert {(model.lag_events, model.lag_s) for model in status(connection)} == {(2, 0)}
