"""`tokenledger notices`: what waits, and one notice with all that it said."""

import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from api.cli.terminal import out
from tests.conftest import FreshBook
from tests.projections.following import follow
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import policy, purchase
from tests.scenarios.steps_money_back import gave_back
from tests.scenarios.write_path import WritePath


@pytest.fixture(autouse=True)
def _environment(fresh_book: FreshBook, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TOKENLEDGER_DATABASE_URL", fresh_book.service_url)
    monkeypatch.setenv("TOKENLEDGER_LOG_LEVEL", "error")
    monkeypatch.setattr(out, "width", 240)
    return


def run(book: FreshBook, *arguments: str) -> Result:
    """Ask about a book."""
    result = CliRunner().invoke(app, ["notices", *arguments, "--book", book.book.name])
    assert "Traceback" not in result.output
    return result


def test_what_waits_is_listed_and_shown(fresh_book: FreshBook) -> None:
    stage = WritePath(fresh_book)
    stage.given(policy(MICRO_UNLOCK))
    stage.when(purchase("large", 4_999, ref="p:1"), gave_back(100, "r:1", payment_ref="x"))
    stage.close()
    early = run(fresh_book, "list")
    assert early.exit_code == 2 and "projector" in early.stderr
    follow(fresh_book)
    shown = run(fresh_book, "list").output
    for text in ("stripe:record-purchase:p:1", "UNKNOWN_PACKAGE", "4,999", "payment:x", "finance"):
        assert text in shown
    only = run(fresh_book, "list", "--status", "parked").output
    assert "r:1" in only and "p:1" not in only
    assert "r:1" not in run(fresh_book, "list", "--older-than-hours", "72").output
    one = json.loads(run(fresh_book, "show", "stripe:record-purchase:p:1").output)
    assert one["fields"]["price"] == 4_999 and len(one["history"]) == 1
    assert one["resolved_by"][0]["command"] == "release-payment"


def test_a_notice_that_awaits_what_never_comes_is_dropped(fresh_book: FreshBook) -> None:
    stage = WritePath(fresh_book)
    stage.given(policy(MICRO_UNLOCK))
    stage.when(gave_back(100, "r:1", payment_ref="x"))
    stage.close()
    follow(fresh_book)
    done = run(fresh_book, "drop", "stripe:record-refund:r:1")
    assert done.exit_code == 0 and "awaited payment:x" in done.output
    assert "r:1" not in run(fresh_book, "list").output
    assert "DROPPED" in run(fresh_book, "list", "--status", "ignored").output
    again = run(fresh_book, "drop", "stripe:record-refund:r:1")
    assert again.exit_code == 2 and "is parked" in again.stderr


def test_complaints(fresh_book: FreshBook) -> None:
    follow(fresh_book)
    wrong = run(fresh_book, "list", "--status", "open")
    assert wrong.exit_code == 2 and "parked" in wrong.stderr
    unknown = run(fresh_book, "show", "stripe:record-purchase:p:9")
    assert unknown.exit_code == 2 and "is kept" in unknown.stderr
