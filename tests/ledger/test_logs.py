"""Logs are JSON lines, carry the correlation id and show no secret."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from ledger import logs


@pytest.fixture
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def lines(restored: None, capsys: pytest.CaptureFixture[str]) -> "Lines":
    logs.configure("info", "json")
    return Lines(capsys)


class Lines:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def read(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._capsys.readouterr().err.splitlines()]


def test_a_log_is_one_json_line(lines: Lines) -> None:
    logs.get_logger("ledger.test").info("appended", events=3)
    logs.get_logger("ledger.test").debug("not shown")
    (line,) = lines.read()
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "appended", "events": 3, "level": "info", "logger": "ledger.test"}


def test_a_logger_that_was_used_follows_what_is_configured_later(lines: Lines) -> None:
    used = logs.get_logger("ledger.test")
    used.info("first")
    logs.configure("info", "json")
    with capture_logs() as captured:
        used.info("second")
    assert [line["event"] for line in captured] == ["second"]
    assert [line["event"] for line in lines.read()] == ["first"]


def test_the_correlation_id_is_on_every_line_within(lines: Lines) -> None:
    with logs.correlated("c-1", book="b"):
        logs.get_logger("a").info("inside")
        logging.getLogger("uvicorn.error").info("a library's, %d", 1)
    logs.get_logger("a").info("outside")
    inside, library, outside = lines.read()
    assert inside["correlation_id"] == library["correlation_id"] == "c-1"
    assert library["event"] == "a library's, 1"
    assert "correlation_id" not in outside


def test_secrets_are_blanked(lines: Lines) -> None:
    logs.get_logger("a").info(
        "got tlk_abcdefghijkm_S-e_cret",
        authorization="Bearer S-e_cret",
        api_key="S-e_cret",
        headers={"Authorization": "S-e_cret", "Accept": "json"},
        attempts=[{"password": "S-e_cret"}],
        url="postgresql://user:S-e_cret@host/db",
        tokens=12,
        key_id="abcdefghijkm",
    )
    (line,) = lines.read()
    assert "S-e_cret" not in json.dumps(line)
    assert (line["tokens"], line["key_id"]) == (12, "abcdefghijkm")
    assert line["headers"]["Accept"] == "json"


def test_an_exception_is_one_line_too(lines: Lines) -> None:
    try:
        raise ValueError("tlk_abcdefghijkm_S-e_cret")
    except ValueError:
        logs.get_logger("a").exception("failed")
    (line,) = lines.read()
    assert "ValueError" in line["exception"]
    assert "S-e_cret" not in line["exception"]


@pytest.mark.usefixtures("restored")
def test_people_may_read_them_on_a_console(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("debug", "console")
    logs.get_logger("a").debug("hello", secret="S-e_cret")
    shown = capsys.readouterr().err
    assert "hello" in shown
    assert "S-e_cret" not in shown
