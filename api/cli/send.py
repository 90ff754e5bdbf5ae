"""`tokenledger send COMMAND FIELD=VALUE …`: any command of the catalogue, from the shell.

For finance staff and for trying things out: what the command is made of comes from the catalogue,
so a new command is here as soon as it is there. Fields are checked before anything is sent, and
the answer is the service's own.
"""

import difflib
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import httpx
import msgspec
import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from api.cli.terminal import err, fail, out
from api.http.openapi import command_text, is_notice
from domain.catalogue import InvalidRequest, read_command
from domain.command import COMMANDS, Command

_REFUSED = 1
_TIMEOUT_S = 30.0
_TRUTH = {"true": True, "false": False}


def send(
    *,
    command: Annotated[
        str | None, typer.Argument(help="The command's name. Without one, all commands are listed.")
    ] = None,
    fields: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FIELD=VALUE]...",
            help="Its fields. Lists and objects are JSON; @FILE reads a value from a file. "
            "Without any, the command's fields are listed.",
        ),
    ] = None,
    book: Annotated[
        str | None, typer.Option(envvar="TOKENLEDGER_BOOK", help="The book to send the command to.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(envvar="TOKENLEDGER_KEY", help="An API key of this book.")
    ] = None,
    url: Annotated[
        str, typer.Option(envvar="TOKENLEDGER_URL", help="The service's address.")
    ] = "http://127.0.0.1:8000",
    idempotency_key: Annotated[
        str | None,
        typer.Option(help="Names this request for ever. Default: a new one."),
    ] = None,
) -> None:
    """Send one command to a service. Exits with 1 if it is refused."""
    if command is None:
        out.print(_catalogue())
        return
    model = _found(command)
    if not fields:
        out.print(_described(model))
        return
    given = _read(model, fields)
    try:
        read_command(command, given)
    except InvalidRequest as error:
        raise fail(str(error)) from None
    if book is None or key is None:
        raise fail("--book and --key are needed; `tokenledger key create` makes a key")
    if idempotency_key is None and not is_notice(model):
        idempotency_key = str(uuid.uuid4())
        err.print(f"idempotency key {idempotency_key}: the same again gets the same answer")
    headers = {"Authorization": f"Bearer {key}"}
    if idempotency_key is not None:
        headers["Idempotency-Key"] = idempotency_key
    _show(_posted(f"{url.rstrip('/')}/v1/books/{book}/commands/{command}", given, headers))


def _found(name: str) -> type[Command]:
    model = COMMANDS.get(name)
    if model is None:
        near = difflib.get_close_matches(name, COMMANDS, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise fail(f"there is no command {name!r}{hint} (`tokenledger send` lists all)")
    return model


def _read(model: type[Command], fields: Sequence[str]) -> dict[str, Any]:
    """The fields as the API takes them; what is no FIELD=VALUE of this command fails."""
    properties = model.model_json_schema()["properties"]
    given: dict[str, Any] = {}
    for field in fields:
        name, equals, text = field.partition("=")
        if not equals:
            raise fail(f"{field!r} is not FIELD=VALUE")
        if name in given:
            raise fail(f"{name} is given twice")
        if name not in properties:
            raise fail(f"{model.name} has no field {name!r}; it has {', '.join(properties)}")
        given[name] = _value(name, text, _kinds(properties[name]))
    return given


def _value(name: str, text: str, kinds: set[str]) -> Any:
    """A value of one of these JSON types; `@FILE` stands for what the file holds."""
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8").rstrip("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise fail(f"{name}: {error}") from None
    if text in _TRUTH and "boolean" in kinds:
        return _TRUTH[text]
    if "string" in kinds:
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        wanted = " or ".join(sorted(kinds - {"null"}))
        raise fail(f"{name}: {text!r} is no {wanted}") from None


def _kinds(schema: Mapping[str, Any]) -> set[str]:
    """The JSON types that a schema allows."""
    if "anyOf" in schema:
        return set().union(*(_kinds(each) for each in schema["anyOf"]))
    return {schema.get("type", "object")}


def _posted(url: str, fields: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
    try:
        return httpx.post(url, json=fields, headers=headers, timeout=_TIMEOUT_S)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise fail(
            f"no answer from {url}: {error}. Whether it was written is not known: "
            "send the same again, with the same --idempotency-key",
            _REFUSED,
        ) from None


def _show(answer: httpx.Response) -> None:
    """The answer's JSON on standard output; a refusal as a sentence on standard error."""
    try:
        document = answer.json()
    except ValueError:
        raise fail(
            f"HTTP {answer.status_code}, and no JSON: is this the service?", _REFUSED
        ) from None
    if answer.is_success:
        out.print_json(data=document)
        return
    for error in document.get("errors", ()):
        err.print(f"  {escape(error['pointer'])}: {escape(error['message'])}")
    code, detail = document.get("code", answer.status_code), document.get("detail", "refused")
    raise fail(f"{code}: {detail}", _REFUSED)


def _catalogue() -> Table:
    table = Table("command", "what it does", "roles", box=box.SIMPLE_HEAD)
    for name, model in sorted(COMMANDS.items()):
        table.add_row(name, escape(command_text(model)[0]), ", ".join(sorted(model.roles)))
    return table


def _described(model: type[Command]) -> Table:
    """The fields of a command, the mandatory ones first."""
    schema = model.model_json_schema()
    required = schema.get("required", [])
    table = Table("field", "type", "", box=box.SIMPLE_HEAD, title=escape(command_text(model)[0]))
    for name in sorted(schema["properties"], key=lambda name: name not in required):
        field = schema["properties"][name]
        kinds = " or ".join(sorted(_kinds(field) - {"null"}))
        choices = field.get("enum")
        shown = ", ".join(choices) if choices else kinds
        table.add_row(name, escape(shown), "required" if name in required else "")
    return table
