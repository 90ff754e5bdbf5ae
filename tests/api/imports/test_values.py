"""Where a value comes from (columns, constants, content) and what it is read as."""

from pathlib import Path
from typing import Any

import pytest

from api.imports.maps import Map
from tests.api.imports.reading import tried

HEADER = "ref,fan,in,out,tax,when,note"
ROW = "r1,ann,10.00,,0.50,2026-11-20,"


def grants(**fields: Any) -> Map:
    """A map of promotional tokens, with a few of its fields made otherwise."""
    usual = {
        "user": "fan",
        "tokens": {"columns": ["in", "-out"], "as": "money"},
        "reason_code": {"constant": "import"},
    }
    command = {"command": "grant-promo", "key": "grant:{ref}", "fields": usual | fields}
    return Map.model_validate({"name": "g", "rows": [{"commands": [command]}]})


def first(tmp_path: Path, mapping: Map, *rows: str) -> dict[str, Any]:
    path = tmp_path / "g.csv"
    path.write_text("\n".join([HEADER, *(rows or [ROW]), ""]))
    _, made, complaints = tried(path, mapping)
    assert not complaints, complaints
    return made[0].fields


@pytest.mark.parametrize(
    ("source", "row", "value"),
    [
        ({"columns": ["in", "-out"], "as": "money"}, ROW, 1000),
        ({"columns": ["in", "-out", "-tax"], "as": "money"}, ROW, 950),
        ({"columns": ["out", "-in"], "as": "money", "sign": "negate"}, ROW, 1000),
        ({"columns": ["out", "-in"], "as": "money", "sign": "absolute"}, ROW, 1000),
        ({"column": "in", "as": "money"}, ROW.replace("10.00", "-3"), None),
        ({"column": "in", "as": "money", "sign": "absolute"}, ROW.replace("10.00", "-3"), 300),
        ({"column": "in", "as": "whole"}, ROW.replace("10.00", "7"), 7),
        ({"constant": 5}, ROW, 5),
    ],
)
def test_amounts(tmp_path: Path, source: dict[str, Any], row: str, value: int | None) -> None:
    if value is None:
        with pytest.raises(AssertionError, match="greater than 0"):
            first(tmp_path, grants(tokens=source), row)
    else:
        assert first(tmp_path, grants(tokens=source), row)["tokens"] == value


def test_texts(tmp_path: Path) -> None:
    joined = {"columns": ["fan", "ref"], "join": "-"}
    assert first(tmp_path, grants(user=joined))["user"] == "ann-r1"
    named = {"column": "fan", "values": {"ann": "u1"}}
    assert first(tmp_path, grants(user=named))["user"] == "u1"
    assert "expires_at" not in first(
        tmp_path, grants(expires_at={"column": "note", "optional": True})
    )


def test_times(tmp_path: Path) -> None:
    day = {"column": "when", "as": "time", "format": "%Y-%m-%d"}
    assert first(tmp_path, grants(expires_at=day))["expires_at"] == "2026-11-20T00:00:00.000000Z"
    abbreviated = {"column": "note", "values": {"PST": "-08:00"}}
    zoned = ROW + "PST"
    made = first(tmp_path, grants(expires_at=day | {"zone": abbreviated}), zoned)
    assert made["expires_at"] == "2026-11-20T08:00:00.000000Z"
    offset = {"column": "when", "as": "time", "format": "%Y-%m-%d%z"}
    made = first(tmp_path, grants(expires_at=offset), ROW.replace("11-20", "11-20+02:00"))
    assert made["expires_at"] == "2026-11-19T22:00:00.000000Z"


def test_rows_without_a_reference_are_known_by_what_they_say_and_how_often(tmp_path: Path) -> None:
    content = {"content": ["fan", "in", "when"]}
    mapping = grants(correlation_id=content)
    path = tmp_path / "g.csv"
    other = ROW.replace("ann", "ben")
    path.write_text("\n".join([HEADER, ROW, other, ROW, ROW, ""]))
    ids = [made.fields["correlation_id"] for made in tried(path, mapping)[1]]
    assert len(set(ids)) == 4 and ids[2:] == [f"{ids[0]}-2", f"{ids[0]}-3"]
    path.write_text("\n".join([HEADER, other, ROW, ROW, ROW, ROW, ""]))
    again = [made.fields["correlation_id"] for made in tried(path, mapping)[1]]
    assert set(ids) < set(again), "a file that grew keeps what it had"
