"""What the release before has written stays answered: no notice that comes again posts anything."""

from collections.abc import Iterator
from datetime import datetime

import pytest

from ledger.books import create_book
from ledger.postgres.database import Database
from tests.conftest import FreshBook
from tests.golden.earlier_release import KEPT, restore
from tests.golden.keep_release import BOOK
from tests.ledger.write.kept import differences, inbox
from tests.scenarios.steps import Sent, card_tip, purchase
from tests.scenarios.write_path import WritePath

SENT = [
    (Sent(each["command"], each["fields"], key=each["key"]), each["status"], each["body"])
    for each in KEPT["sent"]
]


@pytest.fixture
def before(database: Database) -> Iterator[WritePath]:
    """A book as that release left it; its name stands in every entry, so there is one."""
    book = create_book(database.admin_url, BOOK, currency="USD", time_zone="UTC")
    stage = WritePath(FreshBook(book, database.service_url, database.admin_url))
    with stage.fresh.connect_admin() as admin:
        restore(admin)
        ((position, recorded_at, commits),) = KEPT["head"]
        admin.execute("UPDATE head SET commits = %s", [commits])
        head = admin.execute("SELECT position, recorded_at FROM head").fetchone()
        assert head == (position, datetime.fromisoformat(recorded_at))
    yield stage
    stage.close()


def test_6_21_notices_answered_by_the_release_before_stay_answered(before: WritePath) -> None:
    log = before.rows()
    assert len(log) == KEPT["head"][0][0]
    for sent, status, body in SENT:
        again = before.send(sent)
        assert (again.status, again.body.decode(), again.replayed) == (status, body, True), sent
    assert before.rows() == log
    before.restart()

    other_fields = before.send(purchase("small", price=997, user="ann", ref="bought"))
    assert (other_fields.status, other_fields.code) == (422, "REFERENCE_TAKEN")
    assert other_fields.json["details"] == {"processor_ref": "bought"}
    assert before.rows() == log

    state, awaits, _ = inbox(before)["early"]
    assert (state, awaits) == ("parked", "payment:later")
    sold = before.send(card_tip(500, user="ben", processor_ref="later"))
    (released,) = sold.json["released"]
    assert (released["command"], released["processor_ref"]) == ("record-refund", "early")
    assert before.rows()[: len(log)] == log
    kept = {row[1]: row[7] for row in KEPT["inbox"]}
    assert before.entries()[-1].key == kept["early"], "a stored key is never computed again"
    for sent, _, body in SENT:
        assert before.send(sent).body.decode() == body

    disputed = {"payment_ref": "later", "amount": 50, "fee": 0, "processor": "stripe"}
    opened = before.send(Sent("open-dispute", {**disputed, "processor_ref": "unknown"}))
    assert [one["processor_ref"] for one in opened.json["released"]] == ["unheard"]
    old = {"dispute": "dispute", "outcome": "WON", "processor": "stripe", "processor_ref": "won"}
    won = before.send(Sent("close-dispute", old))
    assert [each["type"] for each in won.json["events"]] == ["dispute.won.v1"]

    another = Sent(
        "record-refund",
        {"sale": "later", "cumulative": 200, "processor": "stripe", "processor_ref": "bought"},
    )
    assert before.send(another).status == 201, "another command under a known reference is new"
    before.close()
    assert differences(before, decide_after=len(log)) == [], "and no rule was another since"
