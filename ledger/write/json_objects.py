"""JSON from outside: one object, in which every name stands once.

Of a name that stands twice readers take the first or the last, so what somebody checked before us
need not be what we book. The decoder takes the last and says nothing. Telling that a text repeats
no name must not cost as much as decoding it: each name in the text is followed by a colon, so
where the text has as many colons as the decoded object has names, it has lost none. Only where
colons cannot tell is the text read a second time.
"""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from domain.catalogue import Problem


class Malformed(Exception):
    """No JSON object, or one that repeats names; `problems` say where."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__(*problems)


def read_object(text: bytes) -> dict[str, Any]:
    """The JSON object in `text`; raises Malformed with every place that is wrong."""
    try:
        found = msgspec.json.decode(text)
        if not isinstance(found, dict):
            raise Malformed(Problem("", "must be a JSON object"))
        if text.count(b":") != len(found) and not _has_every_name(text, found):
            _refuse_repeated(text)
    except RecursionError:
        raise Malformed(Problem("", "malformed JSON: nested too deeply")) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        place = "" if "byte" in str(error) else f" (byte {len(text)})"
        raise Malformed(Problem("", f"malformed JSON: {error}{place}")) from None
    return found


def _has_every_name(text: bytes, found: dict[str, Any]) -> bool:
    """Whether no name was lost, as far as counting tells; False where it does not tell."""
    if text.count(b'":') != _names(found):
        return False
    # A name is followed by its colon at once, or by one of these.
    return not (b" :" in text or b"\n:" in text or b"\t:" in text or b"\r:" in text)


def _names(value: dict[str, Any] | list[Any]) -> int:
    """How many names the objects in `value` have."""
    count, inner = (len(value), value.values()) if isinstance(value, dict) else (0, value)
    for each in inner:
        if isinstance(each, (dict, list)):
            count += _names(each)
    return count


class _Members(list[tuple[str, Any]]):
    """An object as its text gives it."""


def _refuse_repeated(text: bytes) -> None:
    members = json.loads(
        text.decode(),
        object_pairs_hook=_Members,
        parse_int=_passed_over,
        parse_float=_passed_over,
    )
    places = dict.fromkeys(_repeated(members, ""))
    if places:
        raise Malformed(*(Problem(place, "stands more than once") for place in places))


def _passed_over(_number: str) -> None:
    """No number matters here, and some are too long for the reader."""


def _repeated(value: Any, place: str) -> Iterator[str]:
    """JSON pointers of the names that stand more than once in their object."""
    if isinstance(value, _Members):
        seen: set[str] = set()
        for name, inner in value:
            where = f"{place}/{name.replace('~', '~0').replace('/', '~1')}"
            if name in seen:
                yield where
            seen.add(name)
            yield from _repeated(inner, where)
    elif isinstance(value, list):
        for nth, inner in enumerate(value):
            yield from _repeated(inner, f"{place}/{nth}")
