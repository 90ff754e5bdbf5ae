"""Writes `docs/asyncapi.json`: every topic and every message, in AsyncAPI 3, from the catalogue.

Run it as `python -m consumers.kafka.asyncapi`. The schemas are JSON Schema and stand under
`components`, so whoever consumes a topic can check what comes with any validator.
"""

import json
from pathlib import Path
from typing import Any

import msgspec

from consumers.kafka.facts import FACTS, VERSION, Fact
from consumers.kafka.topics import STREAMS, Stream
from domain.command import COMMANDS
from domain.event import EVENTS
from ledger.log.entry import Entry

Schema = dict[str, Any]

PAGE = Path(__file__).parents[2] / "docs" / "asyncapi.json"
_SCHEMAS = "#/components/schemas/"
_TEXT = {"type": "string"}
_SIGNED = {
    "tokenledger-key-id": "The id of an API key of the book, as `tokenledger key list` shows it.",
    "tokenledger-signature": "`v1=` and the HMAC-SHA256 in hexadecimal over topic, a zero byte, "
    "SHA-256 of the message key (empty if there is none) and value; the secret is SHA-256 of the "
    "API key.",
}
_ASKED = {
    "correlation-id": "Kept with the events and given back with the answer.",
    "traceparent": "W3C trace context; its trace id is the correlation id where none is given.",
    "reply-key": "The key of the answer; by default that of the message.",
}
_PURPOSES = {
    "events": "Every event of the log in its order, keyed by the fan's wallet, else by the "
    "creator, else by the first entity that the event is about. Kept for ever.",
    "commands": "Commands to be executed, each answered on `receipts`.",
    "receipts": "Answers to commands and facts, the same bytes for the same request.",
    "payments": "What processors tell about payments, refunds and disputes.",
    "calls": "The life of calls.",
    "account-status": "Suspensions, verifications and payout accounts.",
    "delivery-reports": "What was delivered of campaigns that hold credits.",
    "dead-letters": "Messages that nobody who may post has signed, that cannot be read, and facts "
    "that are rejected in the end.",
}


def document() -> Schema:
    """The whole document."""
    schemas: dict[str, Schema] = {"SignedHeaders": _headers(_SIGNED | _ASKED, *_SIGNED)}
    messages: dict[str, Schema] = {}
    held = {stream.name: _messages(stream, schemas, messages) for stream in STREAMS}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "tokenledger",
            "version": "1",
            "description": "The topics of a book. PostgreSQL is the only authority: events are "
            "published at least once and in order per key; commands and facts have one effect "
            "however often they are delivered.",
        },
        "defaultContentType": "application/json",
        "channels": {stream.name: _channel(stream, held[stream.name]) for stream in STREAMS},
        "operations": {stream.name: _operation(stream) for stream in STREAMS},
        "components": {"messages": messages, "schemas": dict(sorted(schemas.items()))},
    }


def rendered() -> str:
    """The document's text."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def _channel(stream: Stream, names: list[str]) -> Schema:
    retention = "for ever" if stream.retention_ms is None else f"{stream.retention_ms} ms"
    return {
        "address": f"tokenledger.{{book}}.{stream.name}",
        "description": f"{_PURPOSES[stream.name]} Retention: {retention}; never compacted.",
        "parameters": {"book": {"description": "The book's name."}},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
    }


def _operation(stream: Stream) -> Schema:
    sent = stream.name in {"events", "receipts", "dead-letters"}
    return {
        "action": "send" if sent else "receive",
        "channel": {"$ref": f"#/channels/{stream.name}"},
        "summary": _PURPOSES[stream.name],
    }


def _messages(stream: Stream, schemas: dict[str, Schema], messages: dict[str, Schema]) -> list[str]:
    match stream.name:
        case "events":
            found = _events(schemas)
        case "commands":
            found = _commands(schemas)
        case "receipts":
            found = {"receipt": _receipt(schemas)}
        case "dead-letters":
            found = {"dead-letter": _dead_letter()}
        case name:
            found = {kind: _fact(kind, fact, schemas) for kind, fact in FACTS[name].items()}
    messages |= found
    return list(found)


def _events(schemas: dict[str, Schema]) -> dict[str, Schema]:
    """One message per stored event."""
    kinds = [Entry, *EVENTS.values()]
    references, found = msgspec.json.schema_components(kinds, ref_template=_SCHEMAS + "{name}")
    schemas |= found
    schemas["EventHeaders"] = _headers(
        {
            "ce_specversion": "1.0",
            "ce_id": "The event's id, a UUID of version 7: the same whenever it is published.",
            "ce_source": "/v1/books/{book}",
            "ce_type": "The event's name and version.",
            "ce_subject": "The entity that the message is keyed by.",
            "ce_time": "When it happened.",
            "ce_recordedtime": "When it was recorded; rises with the position.",
            "ce_sequence": "The position in the log, of 20 digits: 1, 2, 3 … without a gap.",
            "ce_partitionkey": "The message's key.",
            "ce_dataschema": "urn:tokenledger:schema:{type}",
            "content-type": "application/json",
            "traceparent": "W3C trace context.",
        }
    )
    return {
        name: {
            "title": name,
            "summary": (kind.__doc__ or name).strip().splitlines()[0],
            "headers": {"$ref": f"{_SCHEMAS}EventHeaders"},
            "payload": {
                "allOf": [
                    references[0],
                    {"properties": {"type": {"const": name}, "body": reference}},
                ]
            },
        }
        for (name, kind), reference in zip(EVENTS.items(), references[1:], strict=True)
    }


def _commands(schemas: dict[str, Schema]) -> dict[str, Schema]:
    """One message per command: a line as of a bulk request."""
    found = {}
    for name, model in sorted(COMMANDS.items()):
        schema = command_schema(name, schemas)
        own = {
            "command": {"const": name},
            "idempotency_key": {"type": "string", "minLength": 1, "maxLength": 255},
        }
        payload = schema | {
            "properties": own | schema["properties"],
            "required": ["command", *schema.get("required", ())],
        }
        found[name] = {
            "title": name,
            "summary": (model.__doc__ or name).strip().splitlines()[0],
            "headers": {"$ref": f"{_SCHEMAS}SignedHeaders"},
            "payload": payload,
        }
    return found


def command_schema(name: str, schemas: dict[str, Schema]) -> Schema:
    """A command's fields; what they refer to goes to `schemas`."""
    schema = COMMANDS[name].model_json_schema(ref_template=_SCHEMAS + "{model}")
    schemas |= schema.pop("$defs", {})
    for told in ("title", "description"):
        schema.pop(told, None)
    return schema


def _fact(kind: str, fact: Fact, schemas: dict[str, Schema]) -> Schema:
    data = command_schema(fact.command, schemas)
    hidden = set(fact.fixed) | {"occurred_at"}
    data["properties"] = {k: v for k, v in data["properties"].items() if k not in hidden}
    data["required"] = [field for field in data.get("required", ()) if field not in hidden]
    properties: dict[str, Schema] = {
        "id": {"type": "string", "description": "One id per fact, however often it is told."},
        "fact": {"const": kind},
        "version": {"const": VERSION},
        "data": data,
    }
    required = ["id", "fact", "version", "data"]
    if fact.timed:
        properties["occurred_at"] = {"type": "string", "format": "date-time"}
    if fact.subject:
        properties["revision"] = {"type": "integer", "minimum": 0}
        required.append("revision")
    return {
        "title": kind,
        "summary": f"{fact.means} Becomes `{fact.command}`.",
        "headers": {"$ref": f"{_SCHEMAS}SignedHeaders"},
        "payload": {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        },
    }


def _receipt(schemas: dict[str, Schema]) -> Schema:
    schemas["Problem"] = {
        "type": "object",
        "description": "RFC 9457",
        "properties": {
            **dict.fromkeys(("type", "title", "detail", "code", "correlation_id"), _TEXT),
            "status": {"type": "integer"},
            "details": {"type": "object"},
            "retryable": {"type": "boolean"},
        },
        "required": ["type", "title", "status", "code"],
    }
    schemas["Answer"] = {
        "type": "object",
        "properties": {
            "outcome": {"enum": ["accepted", "parked", "suspended", "ignored"]},
            **dict.fromkeys(("command", "code", "recorded_at"), _TEXT),
            "position": {"type": "integer"},
            "events": {"type": "array", "items": {"type": "object"}},
        },
        "required": ["outcome"],
    }
    headers = {
        "status": "As of the HTTP route.",
        "correlation-id": "Of the request.",
        "idempotency-key": "Of the request.",
        "replayed": "`true` where the request had been answered before.",
        "content-type": "application/json or application/problem+json",
    }
    return {
        "title": "receipt",
        "summary": "The answer to one message, keyed as it asked.",
        "headers": _headers(headers),
        "payload": {"anyOf": [{"$ref": _SCHEMAS + name} for name in ("Answer", "Problem")]},
    }


def _dead_letter() -> Schema:
    headers = {
        "reason": "A stable code.",
        "detail": "A sentence.",
        "consumer": "Who gave it up.",
        "origin-topic": "Where it came from.",
        "origin-partition": "Its partition there.",
        "origin-offset": "Its offset there.",
    }
    return {
        "title": "dead-letter",
        "summary": "A message as it came, with its own headers behind these.",
        "headers": _headers(headers, *headers),
        "payload": {},
        "contentType": "application/octet-stream",
    }


def _headers(told: dict[str, str], *required: str) -> Schema:
    properties = {name: {"type": "string", "description": text} for name, text in told.items()}
    schema: Schema = {"type": "object", "properties": properties}
    return schema | {"required": list(required)} if required else schema


if __name__ == "__main__":
    PAGE.write_text(rendered(), encoding="utf-8")
