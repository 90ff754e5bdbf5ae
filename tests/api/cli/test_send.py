"""`tokenledger send`: a command from the shell, as somebody without a program sends it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.cli.books import profile_document
from api.cli.main import app
from domain.command import COMMANDS
from ledger.api_keys import Role
from tests.api.conftest import Tenant, fresh


def run(*arguments: str, status: int = 0) -> Result:
    """Run it and check its exit status."""
    result = CliRunner().invoke(app, ["send", *arguments])
    assert result.exit_code == status, (result.output, result.exception)
    assert "Traceback" not in result.output
    return result


def told(result: Result) -> str:
    """What standard error says, line breaks aside."""
    return " ".join(result.stderr.split())


@pytest.fixture
def doors(tenant: Tenant) -> list[str]:
    """The options that lead to the service."""
    key = tenant.caller().key
    assert key is not None
    return ["--book", tenant.book.name, "--key", key, "--url", str(tenant.http.base_url)]


def test_every_command_is_there() -> None:
    listed = run().output
    for name, model in COMMANDS.items():
        assert name in listed
        shown = run(name).output
        assert all(field in shown for field in model.field_names())


def test_a_command_is_sent_once_however_often_it_is_repeated(
    doors: list[str], tenant: Tenant
) -> None:
    user = tenant.funded(100)
    tip = ["send-tip", f"user={user}", "creator=zoe", "funding=TOKEN", "amount=7"]
    first = run(*tip, *doors)
    key = told(first).split()[2].rstrip(":")
    again = run(*tip, *doors, "--idempotency-key", key)
    assert again.stdout == first.stdout
    answer = json.loads(first.stdout)
    assert (answer["outcome"], answer["events"][0]["type"]) == ("accepted", "tip.sent.v1")


def test_a_notice_needs_no_key(doors: list[str]) -> None:
    fields = ["package=small", "price=999", "processor=psp", f"processor_ref={fresh('ref')}"]
    result = run("record-purchase", f"user={fresh('user')}", *fields, *doors)
    assert not result.stderr and '"tokens.purchased.v1"' in result.stdout


def test_a_refusal_says_why(doors: list[str]) -> None:
    tip = ["send-tip", f"user={fresh('poor')}", "creator=zoe", "funding=TOKEN", "amount=7"]
    refused = run(*tip, *doors, status=1)
    assert "INSUFFICIENT_TOKENS: " in told(refused) and "7" in told(refused)
    assert "ROLE_FORBIDDEN" in told(run("close-period", "period=2020-01", *doors, status=1))


def test_values_come_from_files_too(tenant: Tenant, tmp_path: Path) -> None:
    key = tenant.caller(Role.ADMIN, "ada").key
    assert key is not None
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(profile_document("micro-unlock")))
    doors = ["--book", tenant.book.name, "--key", key, "--url", str(tenant.http.base_url)]
    fields = [f"body=@{file}", "effective_from=2099-01-01T00:00:00Z"]
    assert '"policy.proposed.v1"' in run("propose-policy", *fields, *doors).stdout
    assert "nowhere" in told(run("propose-policy", "body=@nowhere", *doors, status=2))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["send-tpi"], "did you mean send-tip"),
        (["send-tip", "amount"], "'amount' is not FIELD=VALUE"),
        (["send-tip", "amount=1", "amount=2"], "amount is given twice"),
        (["send-tip", "colour=red"], "has no field 'colour'; it has"),
        (["send-tip", "amount=much"], "amount: 'much' is no integer"),
        (["send-tip", "amount=-5"], "/amount: Input should be greater than 0"),
        (["send-tip", "amount=5"], "/user: Field required"),
        (["close-period", "period=2020-01"], "--book and --key are needed"),
    ],
)
def test_what_cannot_be_sent_is_not_sent(arguments: list[str], complaint: str) -> None:
    assert complaint in told(run(*arguments, status=2))


def test_a_service_that_is_away(doors: list[str]) -> None:
    away = [*doors[:-1], "http://127.0.0.1:9"]
    failed = run("close-period", "period=2020-01", *away, status=1)
    assert "send the same again, with the same --idempotency-key" in told(failed)
