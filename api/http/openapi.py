"""The OpenAPI document: every command with its schema, its roles and its refusals, every question
with its answer's shape and who may ask it.

Commands are read by one handler and not by the framework, so their part of the document is
made here, from the catalogue, and cannot fall behind it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.http.schemas import CommandAnswer, ProblemDocument
from domain.command import COMMANDS, Command
from ledger.write.admission import ID

DESCRIPTION = """\
The event-sourced book of record of a creator platform. Commands are sent with an idempotency
key and answered with the same bytes for ever; queries answer as of a position of the log.
"""
BOOK_PATH = "/v1/books/{book}"
_COMPONENTS = "#/components/schemas/{model}"
_PROBLEM = "application/problem+json"
_REFUSALS = {
    400: "The request is malformed; `errors` names every wrong field",
    401: "No valid API key of this book",
    402: "Not enough tokens",
    403: "The key's role may not do this",
    404: "Unknown book, or a reference that is not known",
    409: "Contradicts the present state",
    413: "Over the size limit",
    422: "Against another rule, or an idempotency key used for another content",
    503: "Nothing can be written at present: send the same request again",
}


def parameter(
    name: str, place: str, description: str, *, required: bool, pattern: str | None = None
) -> dict[str, Any]:
    """A header or path parameter."""
    schema = {"type": "string"} | ({"pattern": pattern} if pattern else {})
    return {
        "name": name,
        "in": place,
        "description": description,
        "required": required,
        "schema": schema,
    }


BOOK = parameter("book", "path", "the book's name", required=True, pattern=ID.pattern)
CORRELATION = parameter(
    "X-Correlation-Id", "header", "appears in the answer and in logs", required=False
)
_KEY = "names this request for ever; a replay gets the first answer"


def operation_id(command: str) -> str:
    """What clients made from the document call a command's function."""
    return command.replace("-", "_")


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` entries of these statuses."""
    content = {_PROBLEM: {"schema": {"$ref": _COMPONENTS.format(model="ProblemDocument")}}}
    return {status: {"description": _REFUSALS[status], "content": content} for status in statuses}


def command_responses() -> dict[int | str, dict[str, Any]]:
    """The `responses` of a command route."""
    content = {"application/json": {"schema": {"$ref": _COMPONENTS.format(model="CommandAnswer")}}}
    accepted: dict[int | str, dict[str, Any]] = {
        201: {"description": "Accepted", "content": content},
        202: {"description": "A notice that was kept but not applied", "content": content},
    }
    return accepted | refusals(*_REFUSALS)


def command_extra(model: type[Command]) -> dict[str, Any]:
    """What a command's operation says besides: parameters, body, security."""
    parameters = [BOOK, CORRELATION]
    if not is_notice(model):
        required = not may_be_notice(model)
        parameters.append(parameter("Idempotency-Key", "header", _KEY, required=required))
    return {
        "parameters": parameters,
        "requestBody": _request_body(model),
        "security": [{"key": []}],
    }


def _request_body(model: type[BaseModel]) -> dict[str, Any]:
    schema = {"$ref": _COMPONENTS.format(model=model.__name__)}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def question_responses(schema: type[BaseModel], *statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a question: its answer's shape, and the refusals of every question
    besides those in `statuses`."""
    content = {"application/json": {"schema": {"$ref": _COMPONENTS.format(model=schema.__name__)}}}
    found: dict[int | str, dict[str, Any]] = {200: {"description": "OK", "content": content}}
    return found | refusals(400, 401, 403, 404, 503, *statuses)


def question_extra(body: type[BaseModel] | None) -> dict[str, Any]:
    """What a question's operation says besides: its headers, security, and its body if any."""
    wait = parameter("Prefer", "header", "`wait=N` seconds for `min_position`", required=False)
    extra: dict[str, Any] = {"parameters": [CORRELATION, wait], "security": [{"key": []}]}
    return extra if body is None else extra | {"requestBody": _request_body(body)}


def command_text(model: type[Command]) -> tuple[str, str]:
    """Summary and description of a command."""
    summary = (model.__doc__ or model.name).strip().splitlines()[0]
    roles = ", ".join(f"`{role}`" for role in sorted(model.roles))
    kind = (
        "A notice: known by `processor`, command and `processor_ref`, never rejected. "
        if is_notice(model)
        else ""
    )
    people = " Not for keys of machines." if model.for_people else ""
    return summary, f"{summary}\n\n{kind}Roles: {roles}.{people}"


def is_notice(model: type[Command]) -> bool:
    """Whether every such command is a notice."""
    return may_be_notice(model) and model.model_fields["processor"].is_required()


def may_be_notice(model: type[Command]) -> bool:
    """Whether such a command is a notice at least when it names a processor's payment."""
    return model.notice_id is not Command.notice_id


def install(app: FastAPI, shapes: Sequence[type[BaseModel]]) -> None:
    """Let the app's document hold what its routes refer to; `shapes` are those of the questions'
    answers and bodies."""
    models: list[type[BaseModel]] = [*COMMANDS.values(), CommandAnswer, ProblemDocument, *shapes]

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, models)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI, models: Iterable[type[BaseModel]]) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    _forget_the_frameworks_refusal(document)
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(_schemas(models))
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    return document


def _forget_the_frameworks_refusal(document: dict[str, Any]) -> None:
    """The framework promises a 422 of its own; here a malformed question is answered with 400."""
    for operations in document["paths"].values():
        for operation in operations.values():
            refusal = operation["responses"].get("422", {})
            if "application/json" in refusal.get("content", {}):
                del operation["responses"]["422"]
    schemas = document.get("components", {}).get("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)


def _schemas(models: Iterable[type[BaseModel]]) -> dict[str, Any]:
    wanted = [(model, "validation") for model in models]
    _, schemas = models_json_schema(wanted, ref_template=_COMPONENTS)  # type: ignore[arg-type]
    found: dict[str, Any] = schemas["$defs"]
    return found
