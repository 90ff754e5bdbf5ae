"""The catalogue: every command and every event of the ledger, and how to read them.

Importing this module registers them all. Routes, documentation and decoders follow from it, so
adding a command is one class in a module of its concept.
"""

from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import msgspec
from pydantic import ValidationError

import domain
from domain.command import COMMANDS, FORMER, Command, FormerRequest
from domain.event import EVENTS, Event

for _module in walk_packages(domain.__path__, "domain."):
    if _module.name != __name__:
        import_module(_module.name)  # its commands, events and entities register themselves

ROLES = (
    "service",
    "finance",
    "approver",
    "admin",
    "auditor",
    "moderator",
    "fan",
    "creator",
    "scheduler",  # no key's: the service itself sends what time makes due
)


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong with a request: a JSON pointer and a sentence."""

    pointer: str
    message: str


class InvalidRequest(ValueError):
    """The fields do not make a command; `problems` names every wrong one at once."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{p.pointer}: {p.message}" for p in problems))


def problems_of(error: ValidationError) -> list[Problem]:
    """Everything that is wrong with the fields."""
    return [
        Problem("".join(f"/{part}" for part in each["loc"]), each["msg"])
        for each in error.errors(include_url=False, include_input=False)
    ]


def read_command(name: str, fields: dict[str, Any]) -> Command:
    """The command called `name` with `fields`; raises InvalidRequest."""
    model = COMMANDS.get(name)
    if model is None:
        raise InvalidRequest([Problem("/command", f"there is no command {name!r}")])
    try:
        command: Command = model.__pydantic_validator__.validate_python(fields)
    except ValidationError as error:
        raise InvalidRequest(problems_of(error)) from None
    if problems := tuple(command.problems()):
        raise InvalidRequest([Problem(*problem) for problem in problems])
    return command


def read_former(name: str, fields: dict[str, Any]) -> FormerRequest | None:
    """A request of an earlier release, whose fields the command has no more; None: it is none."""
    model = FORMER.get(name)
    if model is None:
        return None
    try:
        return model.model_validate(fields)
    except ValidationError:
        return None


class UnknownEventType(LookupError):
    """The log holds an event of a type this version does not know: stop, do not guess."""


def event_class(name: str) -> type[Event]:
    """The class stored as `name`; raises UnknownEventType."""
    try:
        return EVENTS[name]
    except KeyError:
        raise UnknownEventType(name) from None
