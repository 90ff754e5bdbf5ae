"""Every name stands once in its object: whatever a text looks like, a repeated name is told."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.write.json_objects import Malformed, read_object


def places(text: bytes) -> set[str]:
    """The pointers that a text is refused for."""
    with pytest.raises(Malformed) as refused:
        read_object(text)
    return {problem.pointer for problem in refused.value.problems}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"amount":1,"amount":2}', {"/amount"}),
        (b'{"amount" : 1, "amount"\n:2}', {"/amount"}),
        (b'{"amount":1,"amoun\\u0074":2}', {"/amount"}),
        (b'{"a:b":1,"a:b":1}', {"/a:b"}),
        (b'{"at":"10:00","at":"\\u003a\\u003a"}', {"/at"}),
        (b'{"at":"\\u003a\\u003a","x":1,"x":1}', {"/x"}),
        (b'{"body":{"vat":{"DE":1,"DE":1}},"n":' + b"9" * 4_299 + b"}", {"/body/vat/DE"}),
        (b'{"payees":[{"creator":"a"},{"creator":"a","creator":"b"}]}', {"/payees/1/creator"}),
        (b'{"a/~":1,"a/~":1,"b":2,"b":3}', {"/a~1~0", "/b"}),
        (b'{"b":{"x":1},"a":1,"a" :1,"c":"\\":"}', {"/a"}),
        (b'{"b":{"x":1},"a":1,"a"\r:1,"c":"\\":"}', {"/a"}),
        (b"[1]", {""}),
        (b"[" * 100_000, {""}),
    ],
)
def test_what_is_refused(text: bytes, expected: set[str]) -> None:
    assert places(text) == expected


class Members(list[tuple[str, Any]]):
    """The members of an object, which may repeat a name."""


NAMES = st.text(alphabet='ab:"\\ é', max_size=3)
VALUES = st.recursive(
    st.one_of(st.integers(), st.text(alphabet=':"\\,{} é', max_size=6), st.none(), st.booleans()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.lists(st.tuples(NAMES, inner), max_size=3).map(Members)
    ),
    max_leaves=8,
)


def written(value: Any, gap: str, ascii_only: bool) -> str:
    """JSON of a value whose objects may repeat names."""
    if isinstance(value, Members):
        members = [
            f"{json.dumps(name, ensure_ascii=ascii_only)}{gap}:{written(inner, gap, ascii_only)}"
            for name, inner in value
        ]
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(inner, gap, ascii_only) for inner in value) + "]"
    return json.dumps(value, ensure_ascii=ascii_only)


def repeats(value: Any) -> bool:
    """Whether any object of a value repeats a name."""
    if isinstance(value, Members):
        names = [name for name, _ in value]
        return len(set(names)) < len(names) or any(repeats(inner) for _, inner in value)
    return isinstance(value, list) and any(map(repeats, value))


@given(
    st.lists(st.tuples(NAMES, VALUES), max_size=4).map(Members),
    st.sampled_from(["", " ", "\t\n"]),
    st.booleans(),
)
def test_exactly_what_repeats_a_name_is_refused(value: Members, gap: str, ascii_only: bool) -> None:
    text = written(value, gap, ascii_only).encode()
    if repeats(value):
        assert places(text)
    else:
        assert read_object(text) == json.loads(text)
