"""The published schemas are those of the catalogue, and what is published or taken fits them."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from consumers.kafka.asyncapi import PAGE, document, rendered
from consumers.kafka.facts import FACTS
from consumers.kafka.topics import STREAMS
from domain.command import COMMANDS
from domain.event import EVENTS

GOLDEN = Path(__file__).parents[2] / "golden"
DOCUMENT = document()


def validator(message: str) -> Draft202012Validator:
    """Of the payload of a message."""
    components = {"components": DOCUMENT["components"]}
    return Draft202012Validator(DOCUMENT["components"]["messages"][message]["payload"] | components)


def references(value: Any) -> list[str]:
    """Everything that is referred to, at any depth."""
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for inner in value.values() for found in references(inner)]
    if isinstance(value, list):
        return [found for inner in value for found in references(inner)]
    return []


def test_the_page_is_that_of_the_catalogue() -> None:
    assert PAGE.read_text() == rendered(), "run python -m consumers.kafka.asyncapi"


def test_every_topic_and_every_message_is_there() -> None:
    assert set(DOCUMENT["channels"]) == {stream.name for stream in STREAMS}
    assert set(DOCUMENT["channels"]["events"]["messages"]) == set(EVENTS)
    assert set(DOCUMENT["channels"]["commands"]["messages"]) == set(COMMANDS)
    for topic, facts in FACTS.items():
        assert set(DOCUMENT["channels"][topic]["messages"]) == set(facts)


def test_whatever_is_referred_to_is_there() -> None:
    for reference in references(DOCUMENT):
        place: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
        assert place is not None


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_a_stored_event_fits_its_schema(name: str) -> None:
    stored = json.loads((GOLDEN / f"{name}.json").read_text())
    validator(name).validate(stored)
    with pytest.raises(ValidationError):
        validator(name).validate(stored | {"type": "another.v1"})


def test_facts_and_commands_fit_theirs() -> None:
    tip = {"command": "send-tip", "idempotency_key": "k", "user": "u", "creator": "c"}
    validator("send-tip").validate(tip | {"funding": "TOKEN", "amount": 1})
    with pytest.raises(ValidationError):
        validator("send-tip").validate(tip)
    fact = {"id": "1", "fact": "call.ended", "version": 1, "data": {"call": "c1"}}
    validator("call.ended").validate(fact)
    for wrong in ({"version": 2}, {"data": {}}, {"more": 1}):
        with pytest.raises(ValidationError):
            validator("call.ended").validate(fact | wrong)
    for topic in FACTS.values():
        for name, meaning in topic.items():
            properties = DOCUMENT["components"]["messages"][name]["payload"]["properties"]
            assert not set(meaning.fixed) & set(properties["data"]["properties"])
