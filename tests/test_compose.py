"""The deployment on one machine fits the compose specification, our settings and command line."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose
from typer.main import get_command

from api.cli.main import app
from consumers.kafka.sources import SOURCES
from ledger.settings import Settings

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service.get("build")}
#: Set for one container's own purposes.
OTHER = {"TOKENLEDGER_ADMIN_PASSWORD", "TOKENLEDGER_APP_PASSWORD", "TOKENLEDGER_PORT"}
SETTINGS = {f"TOKENLEDGER_{name.upper()}" for name in Settings.model_fields}


def filled_in() -> str:
    """The file as it is once variables have their values and what is shared is merged."""
    with_defaults = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", TEXT)
    return yaml.safe_dump(yaml.safe_load(re.sub(r"\$\{\w+:\?\}", "secret", with_defaults)))


def test_it_fits_the_specification() -> None:
    assert set(PyCompose.from_yaml(filled_in()).service_names()) == set(SERVICES)
    with pytest.raises(ValueError, match="prots"):
        PyCompose.from_yaml(filled_in().replace("    ports:", "    prots:"))


def test_everything_that_a_deployment_needs_is_there() -> None:
    assert SERVICES["postgres"]["image"] == "postgres:18"
    assert SERVICES["kafka"]["image"].startswith("apache/kafka:4.")
    commands = [tuple(service["command"]) for service in OURS.values()]
    assert {("project",), ("meter",), ("relay",), ("migrate",)} <= set(commands)
    assert {command[1] for command in commands if command[0] == "consume"} == set(SOURCES)
    assert sum(command[0] == "serve" for command in commands) == 1


@pytest.mark.parametrize("name", OURS)
def test_its_command_and_its_settings_are_ours(name: str) -> None:
    service = OURS[name]
    known = get_command(app).commands  # type: ignore[attr-defined]
    command, *arguments = service["command"]
    assert command in known
    options = {
        option for each in known[command].params for option in (*each.opts, *each.secondary_opts)
    }
    assert {argument for argument in arguments if argument.startswith("--")} <= options
    assert set(service["environment"]) <= SETTINGS


def test_whoever_is_waited_for_can_tell_that_it_is_ready() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], (name, other)
            else:
                assert how["condition"] == "service_completed_successfully"
                assert "restart" not in SERVICES[other]
        if name != "migrate":
            assert "healthcheck" in service, name


def test_the_example_names_exactly_what_is_asked_for() -> None:
    asked = set(re.findall(r"\$\{(\w+)", TEXT))
    example = (ROOT / ".env.example").read_text()
    named = set(re.findall(r"^(\w+)=", example, re.MULTILINE))
    assert named == asked
    assert named - OTHER <= SETTINGS


def test_every_volume_is_declared_and_used() -> None:
    used = {
        mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", ())
    }
    assert used == set(COMPOSE["volumes"])
