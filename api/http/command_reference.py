"""Writes `docs/commands.md`, the page of commands, from the catalogue, so that it stays true.

Run it as `python -m api.http.command_reference`.
"""

import json
from collections.abc import Iterable, Iterator
from inspect import getdoc
from itertools import chain, combinations, count
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from api.http.openapi import BOOK_PATH, command_text, is_notice, may_be_notice
from domain import rejections
from domain.catalogue import ROLES, InvalidRequest, read_command
from domain.command import COMMANDS, Command
from domain.controls.periods import Month
from domain.event import EVENTS
from domain.fields import Country, Currency, Id, Reference
from domain.money import AMOUNT_MAX
from domain.policy import TimeZone
from domain.settlements.commands import BreakId
from domain.settlements.piece import Sha256
from domain.texts import Text

Schema = dict[str, Any]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "commands.md"
ROUTE = f"POST {BOOK_PATH}/commands/{{command}}"

#: The fields that every command has: told once, and not for each.
SHARED = Command.model_json_schema()["properties"]

#: What the patterns are called on the page, with an example; that of an id is its field's name.
_FORMS: dict[str, tuple[str, str]] = {
    TypeAdapter(form).json_schema()["pattern"]: (words, example)
    for form, words, example in (
        (Id, "id", ""),
        (Reference, "reference", ""),
        (BreakId, "break id", ""),
        (Country, "country", "DE"),
        (Currency, "currency", "USD"),
        (TimeZone, "time zone", "UTC"),
        (Month, "month", "2026-10"),
        (Sha256, "SHA-256", "0" * 64),
        (Text, "text", "As agreed."),
    )
}

#: Examples of what follows rules that no schema can say.
_EXAMPLES: dict[str, Any] = {
    "postings": [["bank", "USD", 100], ["suspense", "USD", -100]],
    "body": json.loads((ROOT / "domain" / "profiles" / "tips.json").read_text()),
}

_INTRODUCTION = """\
# Commands

What can be asked of the ledger, and what it can be told. This page is made from the commands
themselves by `python -m api.http.command_reference`; a test fails when it is not what they say.

A command is one HTTP request with a JSON object as its body:

```
{route}
Authorization: Bearer <API key of the book>
Idempotency-Key: <1 to 255 visible ASCII characters>
```

- **A request** asks for something and may be refused. Its `Idempotency-Key` names it for ever: sent
  again with the same content it gets the first answer, byte for byte; with another content it is
  refused.
- **A notice** reports what a processor has already done. It is known by its `processor`, its
  command and its `processor_ref`, needs no `Idempotency-Key`, and no money rule refuses it: what
  speaks of something that has not arrived yet waits for it, and what contradicts the policy or the
  state is kept, its money in suspense, for a person to decide. Such a notice is answered with 202
  and one of the codes below. Denied is only one that is malformed, that its sender may not send, or
  that says something else than the one before it with the same identity (`REFERENCE_TAKEN`).
- **Either**, in the table of all commands, is a sale: paid in tokens it is a request; paid by card
  it names `processor` and `processor_ref` and is a notice, for the card is charged already.
- **Who may send what**: an API key has one role, and each command names the roles that may send it.
  {silent} send none. What only `scheduler` sends, no key can: the service does, when it is due.
- **Amounts** are whole numbers: minor units of the book's currency (cents), or tokens; shares are
  in basis points (bps), of which 10,000 are the whole. Fields that a command does not know are
  refused.

The money rules, where they live and what shows them, are in [rules.md](rules.md); the way of a
command through the ledger is in [architecture.md](architecture.md). Many commands at once go to
`POST {book}/commands`, one JSON object per line:
`command`, `idempotency_key` and the command's fields.

## Kinds of values

| Kind | Written as |
|---|---|
| id | 1 to 64 letters A-Z and a-z, digits, `_` and `-`; codes are written likewise |
| time | RFC 3339 in UTC with `Z`, like `2026-11-20T05:42:00.123456Z`; not before 1900 |
| date, month | `2026-11-20`, `2026-11` |
| whole number | a JSON number without a fraction, within the bounds that are given |
| country, currency | two and three capital letters: `DE`, `USD` |
| time zone | its IANA name: `Europe/Berlin` |
| SHA-256 | 64 hexadecimal digits in lower case |
| text | what a person writes: kept outside the log, which holds only its salted hash |

`[]` after a field's name means each value of the list, a name in braces each key of the object.
A field that is not required may be left out or be `null` where no default is given.

## Fields of every command

"""


def page() -> str:
    """The whole page."""
    silent = [role for role in ROLES if not any(role in c.roles for c in COMMANDS.values())]
    introduction = _INTRODUCTION.format(route=ROUTE, book=BOOK_PATH, silent=_spoken(silent))
    commands = [model for _, model in sorted(COMMANDS.items())]
    parts = [
        introduction + _field_table(Command.model_json_schema(), leaving_out=()),
        "## All commands\n\n" + _index(commands),
        *map(_section, commands),
        "## Codes of refusals\n\nOf several reasons the first in this order is told. One that is "
        "retryable may go away by itself:\nsend the same request again. A notice that is kept "
        "without being applied has one of these codes,\nor one of its own:\n"
        f"{_spoken(_notice_codes())}.\n\n" + _codes(),
        "## Events\n\nThe answer to an accepted command holds the events that it became; these "
        "are all there are.\n\n" + _events(),
    ]
    return "\n".join(parts)


def _spoken(names: Iterable[str]) -> str:
    *others, last = (f"`{name}`" for name in names)
    return f"{', '.join(others)} and {last}" if others else last


def _table(*rows: tuple[str, ...]) -> str:
    """A table whose first row is its head."""
    head, *others = (f"| {' | '.join(row)} |\n" for row in rows)
    return head + "|---" * len(rows[0]) + "|\n" + "".join(others)


def _roles(model: type[Command]) -> str:
    return ", ".join(f"`{role}`" for role in ROLES if role in model.roles)


def _index(commands: Iterable[type[Command]]) -> str:
    head = ("Command", "What it does", "Roles", "Kind")
    rows = []
    for model in commands:
        kind = "notice" if is_notice(model) else "either" if may_be_notice(model) else "request"
        link = f"[{model.name}](#{model.name})"
        rows.append((link, command_text(model)[0], _roles(model), kind))
    return _table(head, *rows)


def _section(model: type[Command]) -> str:
    """What there is to know about one command."""
    if is_notice(model):
        kind = "Notice"
    elif may_be_notice(model):
        kind = "Request; a notice when it names `processor` and `processor_ref`"
    else:
        kind = "Request"
    said = "\n\n".join(" ".join(part.split()) for part in (getdoc(model) or "").split("\n\n"))
    route = ROUTE.format(book="{book}", command=model.name)
    people = " Not for keys of machines." if model.for_people else ""
    parts = [
        f"### {model.name}\n\n{said}\n",
        f"`{route}`\n",
        f"{kind}. Roles: {_roles(model)}.{people}\n",
        _field_table(model.model_json_schema(), leaving_out=SHARED),
    ]
    if conditions := list(_conditions(model)):
        parts.append(f"Also: {' '.join(conditions)}\n")
    fields = example(model.name)
    if fields is not None:
        parts.append(f"```json\n{json.dumps(fields, indent=2)}\n```\n")
    return "\n".join(parts)


def _conditions(model: type[Command]) -> Iterator[str]:
    """What must hold between a command's fields, in the words of what tests it."""
    for cls in reversed(model.__mro__):
        if issubclass(cls, Command) and cls is not Command and "problems" in vars(cls):
            yield (vars(cls)["problems"].__doc__ or "").strip()


def _field_table(schema: Schema, leaving_out: Iterable[str]) -> str:
    definitions = schema.get("$defs", {})
    rows = [
        row
        for row in _rows(schema, definitions, "")
        if row[0].strip("`").removesuffix(".{id}") not in leaving_out  # inner fields have a prefix
    ]
    if not any(meaning for *_, meaning in rows):
        return _table(("Field", "Type", "Required"), *(row[:3] for row in rows))
    return _table(("Field", "Type", "Required", "Meaning"), *rows)


def _rows(
    schema: Schema, definitions: dict[str, Schema], prefix: str
) -> Iterator[tuple[str, str, str, str]]:
    """(name, type, whether it is required, meaning) of each field, inner ones after their own."""
    for name, field in schema["properties"].items():
        required = name in schema.get("required", ())
        of = _definition(field, definitions)
        wanted = "yes" if required else "no"
        if field.get("default") is not None:
            wanted = f"no: `{json.dumps(field['default'])}`"
        words = _words(of) + (" or `null`" if required and "anyOf" in field else "")
        meaning = field.get("description") or of.get("description") or ""
        yield f"`{prefix}{name}`", words, wanted, meaning
        inner, where = _inner(of, definitions)
        if "properties" in inner:
            if inner is not of:
                yield f"`{prefix}{name}{where}`", "object", "", inner.get("description", "")
            yield from _rows(inner, definitions, f"{prefix}{name}{where}.")
        elif inner is not of:
            yield f"`{prefix}{name}{where}`", _words(inner), "", ""


def _definition(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """The schema that this one stands for: without `null`, and in its own words."""
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null":
            return _definition(choice, definitions)
    if "$ref" in schema:
        return definitions[schema["$ref"].rsplit("/", 1)[1]]
    return schema


def _inner(schema: Schema, definitions: dict[str, Schema]) -> tuple[Schema, str]:
    """What a list or an object by keys holds, and how its place is written."""
    if "items" in schema:
        return _definition(schema["items"], definitions), "[]"
    for pattern, value in schema.get("patternProperties", {}).items():
        key, _ = _FORMS.get(pattern, ("key", ""))
        return _definition(value, definitions), f".{{{key}}}"
    if isinstance(schema.get("additionalProperties"), dict):
        return _definition(schema["additionalProperties"], definitions), ".{key}"
    return schema, ""


def _words(schema: Schema) -> str:
    """A type in plain words."""
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    match schema.get("type"):
        case "integer":
            return f"whole number {_bounds(*_limits(schema))}"
        case "boolean":
            return "`true` or `false`"
        case "array" if "prefixItems" in schema:
            return "list of: " + "; ".join(map(_words, schema["prefixItems"]))
        case "array":
            low, high = schema.get("minItems", 0), schema.get("maxItems")
            return "list" if high is None else f"list of {_bounds(low, high)} values"
        case "object" if "propertyNames" in schema:
            return f"object, its keys {_words(schema['propertyNames'])}"
        case "object":
            return "object"
        case "string":
            return _string(schema)
    return "whole numbers, words, lists and objects of these"


def _string(schema: Schema) -> str:
    if "format" in schema:
        return {"date-time": "time", "date": "date"}[schema["format"]]
    pattern = schema.get("pattern")
    words = "text" if pattern is None else ""
    if pattern is not None:
        words, _ = _FORMS.get(pattern, (f"text of the form `{pattern}`".replace("|", "\\|"), ""))
    longest = schema.get("maxLength")
    return words if longest is None else f"{words} of up to {longest:,} characters"


def _limits(schema: Schema) -> tuple[int, int]:
    low = schema["exclusiveMinimum"] + 1 if "exclusiveMinimum" in schema else schema["minimum"]
    return low, schema["maximum"]


def _bounds(low: int, high: int) -> str:
    return f"{_number(low)} … {_number(high)}"


def _number(value: int) -> str:
    written = "10¹²" if abs(value) == AMOUNT_MAX else f"{abs(value):,}"
    return f"−{written}" if value < 0 else written


def example(name: str) -> Schema | None:
    """Fields that make a command called `name`: those it requires, and one more if it must be."""
    schema = COMMANDS[name].model_json_schema()
    required, properties = schema.get("required", []), schema["properties"]
    optional = [field for field in properties if field not in (*SHARED, *required)]
    for more in chain.from_iterable(combinations(optional, size) for size in range(3)):
        fields = _object(schema, schema.get("$defs", {}), (*required, *more))
        try:
            read_command(name, fields)
        except InvalidRequest:
            continue
        return fields
    return None


def _object(schema: Schema, definitions: dict[str, Schema], names: Iterable[str]) -> Schema:
    times = count(1)
    properties = schema["properties"]
    return {name: _value(name, properties[name], definitions, times) for name in names}


def _value(name: str, field: Schema, definitions: dict[str, Schema], times: Iterator[int]) -> Any:
    """A value that the schema of the field allows; times of one object follow each other."""
    if name in _EXAMPLES:
        return _EXAMPLES[name]
    schema = _definition(field, definitions)
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "integer":
            low, high = _limits(schema)
            return min(max(low, 100), high)
        case "boolean":
            return True
        case "array":
            return [_value(name, schema["items"], definitions, times)]
        case "object":
            return _object(schema, definitions, schema.get("required", ()))
    match schema.get("format"):
        case "date-time":
            return f"2026-{next(times):02}-01T00:00:00Z"
        case "date":
            return "2026-11-20"
    _, value = _FORMS.get(schema.get("pattern", ""), ("", ""))
    return value or f"{name.replace('_', '-')}-1"


def _codes() -> str:
    rows = [
        (f"`{reason.code}`", str(reason.status), reason.title, "yes" if reason.retryable else "")
        for reason in rejections.REASONS.values()
    ]
    return _table(("Code", "HTTP status", "Title", "Retryable"), *rows)


def _notice_codes() -> Iterator[str]:
    return (name for name, value in sorted(vars(rejections).items()) if value == name)


def _events() -> str:
    rows = []
    for name, event in sorted(EVENTS.items()):
        first, *_ = (getdoc(event) or "").split("\n\n")
        rows.append((f"`{name}`", " ".join(first.split())))
    return _table(("Event", "What happened"), *rows)


if __name__ == "__main__":
    PAGE.write_text(page())
