"""What is sent and asked about registers over HTTP."""

from typing import Any, get_args

from pydantic import BaseModel

from api.http.queries.registers import BY_REGISTER
from tests.api.conftest import Caller, fresh, shaped


def done(caller: Caller, command: str, **fields: Any) -> tuple[dict[str, Any], int]:
    """The body of the first event of an accepted command, and the position of the last."""
    answer = caller.send(command, fields)
    assert answer.status_code in {201, 202}, answer.text
    told = answer.json()
    return told["events"][0]["body"], told["position"]


def paid(**more: Any) -> dict[str, Any]:
    """Who told of a payment."""
    return {"processor": "stripe", "processor_ref": fresh("ref"), **more}


def listed(caller: Caller, name: str, **asked: Any) -> list[dict[str, Any]]:
    """The items of a register, each with the documented fields."""
    schema: type[BaseModel] = BY_REGISTER[name][0].schema
    page = shaped(schema, caller.ask(name, **asked).json())
    (item,) = get_args(schema.model_fields["items"].annotation)
    assert all(set(each) == set(item.model_fields) for each in page["items"])
    items: list[dict[str, Any]] = page["items"]
    return items


def alone(caller: Caller, name: str, number: str, **asked: Any) -> dict[str, Any]:
    """One thing of a register, with the documented fields."""
    return shaped(BY_REGISTER[name][1].schema, caller.ask(f"{name}/{number}", **asked).json())


def finds(caller: Caller, name: str, item: dict[str, Any], *filters: str) -> None:
    """Each filter with the item's value finds it and, with another value, not."""
    mine = {"min_position": item["last_position"], "user": item.get("user")}
    mine = {key: value for key, value in mine.items() if value is not None}
    for key in filters:
        assert item in listed(caller, name, **{**mine, key: item[key]}), key
        assert item not in listed(caller, name, **{**mine, key: "another"}), key
    today = {"period": item["created_at"][:10]}
    assert item in listed(caller, name, **mine, **today)
    assert listed(caller, name, **mine, period="2020") == []
    assert item in listed(caller, name, **mine, status=item["status"].lower())
