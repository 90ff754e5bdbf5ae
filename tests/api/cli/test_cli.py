"""The command line as an operator meets it: results, complaints and exit statuses."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api.cli.books import profile_document, profiles
from api.cli.main import app
from domain.catalogue import read_command
from domain.controls.policy_changes import ProposePolicy, losing_package
from ledger.books import create_book
from ledger.postgres.database import Database, connect
from tests.api.conftest import founded, fresh


@pytest.fixture(autouse=True)
def _environment(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TOKENLEDGER_DATABASE_URL", database.service_url)
    monkeypatch.setenv("TOKENLEDGER_ADMIN_DATABASE_URL", database.admin_url)
    monkeypatch.setenv("TOKENLEDGER_LOG_LEVEL", "error")
    return


def run(*arguments: str, status: int = 0) -> Result:
    """Run a command and check its exit status; what failed says why and shows no traceback."""
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == status, (result.output, result.exception)
    assert "Traceback" not in result.output
    if status == 2:
        assert "rror" in result.stderr and not result.stdout
    return result


def test_help_is_everywhere() -> None:
    shown = run("--help").output
    for command in ("serve", "migrate", "import", "simulate", "project", "rebuild", "verify"):
        assert command in shown
        assert run(command, "--help").output.count("\n") > 5
    for command in ("create", "list"):
        assert run("book", command, "--help").output and run("key", command, "--help").output
    assert re.match(r"\d+\.\d+", run("--version").output)


def test_migrate_says_when_there_is_nothing_to_do() -> None:
    assert "up to date" in run("migrate").output


@pytest.mark.parametrize("name", profiles())
def test_profiles_are_sound(name: str) -> None:
    body = profile_document(name)
    assert body["profile"] == name
    proposal = read_command(
        "propose-policy", {"body": body, "effective_from": "1970-01-01T00:00:00Z"}
    )
    assert isinstance(proposal, ProposePolicy)
    assert losing_package(proposal.body) is None


def test_a_book_and_its_keys(database: Database) -> None:
    name = fresh("Cli")
    made = run("book", "create", name, "--profile", "live-call", "--currency", "EUR")
    assert "EUR" in made.output
    assert name in run("book", "list").output
    again = run("book", "create", name, "--profile", "live-call", status=2)
    assert "already" in again.stderr
    key = run("key", "create", "--book", name, "--role", "finance", "--actor", "fin").stdout.strip()
    assert re.fullmatch(r"tlk_[a-z0-9]{12}_\S{43}", key)
    listed = run("key", "list", "--book", name).output
    assert "finance" in listed and key[4:16] in listed and key[-20:] not in listed
    assert "revoked" in run("key", "revoke", key[4:16]).output
    run("key", "revoke", key[4:16], status=2)
    with connect(database.service_url, f"book_{name}", autocommit=True) as connection:
        entries = connection.execute("SELECT entry FROM events_json ORDER BY position").fetchall()
    assert [entry["principal"] for (entry,) in entries] == ["book-proposer", "book-approver"]


def test_provisioning_that_was_broken_off_is_completed(database: Database) -> None:
    name = fresh("Half")
    create_book(database.admin_url, name, currency="USD", time_zone="UTC")
    assert "policy 1 in force" in run("book", "create", name, "--profile", "micro-unlock").output


def test_a_book_with_its_keys_in_one_go() -> None:
    name = fresh("Keys")
    roles = "service,finance,approver,auditor"
    made = run("book", "create", name, "--profile", "live-call", "--keys", roles).stdout
    said, *keys = made.splitlines()
    assert "policy 1 in force" in said
    assert [line.split()[0] for line in keys] == roles.split(",")
    listed = run("key", "list", "--book", name).output
    for line in keys:
        role, key = line.split()
        _, key_id, secret = key.split("_", 2)
        assert re.search(rf"{key_id}\W+{role}\W+{role}\W", listed) and secret not in listed


def test_maps_are_listed_shown_and_proposed(tmp_path: Path) -> None:
    assert "stripe-payouts" in run("map", "list").output
    assert 'policy = "tips"' in run("map", "show", "tips").output
    assert "come along are" in run("map", "show", "nope", status=2).stderr.replace("\n", " ")
    file = tmp_path / "sales.csv"
    file.write_text("id,fan,price\n1,ann,9.99\n")
    assert 'user = "fan"' in run("map", "init", str(file)).output
    run("map", "init", str(tmp_path / "none.csv"), status=2)


def test_a_role_that_is_none_makes_no_book() -> None:
    name = fresh("King")
    complaint = run("book", "create", name, "--profile", "tips", "--keys", "fan,king", status=2)
    assert "there are: service, finance" in complaint.stderr.replace("\n", " ")
    assert name not in run("book", "list").output


def test_a_policy_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(profile_document("live-call") | {"time_zone": "Europe/Berlin"}))
    assert "Europe/Berlin" in run("book", "create", fresh("Own"), "--policy", str(file)).output


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"dispute_bearer": None}, "/body/dispute_bearer"),
        ({"colour": "red"}, "/body/colour"),
        ({"packages": {"p": {"tokens": 9_999, "price": 1}}}, "package p"),
        ({"currency": "usd"}, "/body/currency"),
    ],
)
def test_a_wrong_policy_makes_no_book(
    tmp_path: Path, change: dict[str, Any], complaint: str
) -> None:
    file, name = tmp_path / "policy.json", fresh("Wrong")
    file.write_text(json.dumps(profile_document("micro-unlock") | change))
    assert complaint in run("book", "create", name, "--policy", str(file), status=2).stderr
    assert name not in run("book", "list").output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["book", "create", "B"], "--profile"),
        (["book", "create", "B", "--profile", "nope"], "micro-unlock"),
        (["book", "create", "B", "--policy", "/no/such/file"], "cannot be read"),
        (["book", "create", "a b", "--profile", "live-call"], "1 to 40"),
        (["book", "create", "B", "--profile", "live-call", "--time-zone", "Mars"], "time zone"),
        (["book", "create", "B", "--profile", "live-call", "--approver", "book-proposer"], "two"),
        (["book", "create", "B", "--profile", "live-call", "--effective-from", "x"], "RFC 3339"),
        (["key", "create", "--book", "nope", "--role", "fan", "--actor", "a"], "no book"),
        (["key", "create", "--book", "nope", "--role", "king", "--actor", "a"], "king"),
        (["key", "list", "--book", "nope"], "book list"),
        (["verify", "--book", "nope"], "book list"),
        (["rebuild", "nope"], "wallets"),
        (["replay", "--book", "nope", "--until", "1"], "book list"),
        (["replay", "--book", "B", "--until", "soon"], "neither"),
        (["replay", "--book", "B", "--until", "2026-01-01T00:00:00"], "no zone"),
        (["simulate", "--year", "--profile", "nope"], "micro-unlock"),
        (["simulate", "--year", "--size", "huge"], "number of fans"),
        (["simulate", "--year", "--from", "2999-01-01"], "not over yet"),
        (["simulate", "--year", "--size", "3", "--book", "B"], "sim-"),
        (["serve", "--port", "70000"], "65535"),
        (["nonsense"], "nonsense"),
    ],
)
def test_complaints_say_what_to_do(arguments: list[str], complaint: str) -> None:
    assert complaint in run(*arguments, status=2).stderr.replace("\n", " ")


def test_a_database_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENLEDGER_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.delenv("TOKENLEDGER_ADMIN_DATABASE_URL")
    assert "cannot be reached" in run("book", "list", status=2).stderr
    assert "cannot be reached" in run("serve", "--port", "0", status=2).stderr


def test_wrong_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENLEDGER_BODY_BYTES_MAX", "many")
    assert "TOKENLEDGER_BODY_BYTES_MAX" in run("migrate", status=2).stderr


def test_a_month_is_simulated_and_replayed() -> None:
    name = fresh("sim-cli")
    days = ("--size", "10", "--from", "2026-01-01", "--months", "1")
    lived = run("simulate", "--year", "--profile", "live-call", "--book", name, *days).output
    assert "trial balance" in lived and "call_block.charged.v1" in lived and f"{name}: " in lived
    schema = f"read_{name}@50"
    assert schema in run("replay", "--book", name, "--until", "50").output
    assert f"{schema} is gone" in run("replay", "--book", name, "--until", "50", "--drop").output
    assert "nothing to drop" in run("replay", "--book", name, "--until", "50", "--drop").output
    run("replay", "--book", name, "--until", "99999999", status=2)
    assert "clean" in run("verify", "--book", name).output


def test_rebuild_and_verify(database: Database) -> None:
    name = founded(database, fresh("Upkeep")).name
    assert "clean" in run("verify", "--book", name).output
    rebuilt = run("rebuild", "--book", name).output
    assert "wallets" in rebuilt and "journal" in rebuilt
    assert "clean" in run("verify", "--book", name).output
    with connect(database.admin_url, f"book_{name}", autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute("ALTER TABLE event_tags DISABLE TRIGGER append_only")
        admin.execute("DELETE FROM event_tags WHERE position = 2")
    found = run("verify", "--book", name, status=1).output
    assert "not clean" in found and "should be" in found
