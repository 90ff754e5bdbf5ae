"""What clients may send: nothing that passes can poison a batch, a tag, an account or a sum."""

import itertools
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from domain.catalogue import InvalidRequest, read_command
from domain.command import COMMANDS
from domain.fields import RFC3339_UTC
from domain.money import AMOUNT_MAX
from ledger.write.request import fingerprint

TIP = {"user": "u1", "creator": "c1", "funding": "TOKEN", "amount": 5}


def pointers(name: str, fields: dict[str, Any]) -> list[str]:
    """Where the fields are wrong."""
    with pytest.raises(InvalidRequest) as refused:
        read_command(name, fields)
    assert all(problem.message for problem in refused.value.problems)
    return sorted(problem.pointer for problem in refused.value.problems)


@pytest.mark.parametrize(
    "wrong",
    ["", "a b", "a.b", "a:b", "ä", "a\0", "a\n", "\u200b", "x" * 65, 7, None, True, ["a"], {}],
)
def test_an_id_is_1_to_64_of_letters_digits_and_dashes(wrong: object) -> None:
    assert pointers("send-tip", {**TIP, "user": wrong}) == ["/user"]


@pytest.mark.parametrize("right", ["a", "A-_9", "x" * 64, "-", "0"])
def test_such_ids_are_fine(right: str) -> None:
    assert read_command("send-tip", {**TIP, "user": right})


CHARGE = {**TIP, "funding": "CARD", "processor": "stripe"}


@pytest.mark.parametrize("right", ["a", "x" * 128, "pi_3N.q", "adyen:8815", "A+b=@host", "-"])
def test_6_9_a_reference_keeps_the_alphabet_of_who_made_it(right: str) -> None:
    assert read_command("send-tip", {**CHARGE, "processor_ref": right})


@pytest.mark.parametrize("wrong", ["", "x" * 129, "a b", "a/b", "ä", "a\0", "a\n", 7, None, {}])
def test_6_9_a_reference_cannot_poison_a_tag(wrong: object) -> None:
    assert "/processor_ref" in pointers("send-tip", {**CHARGE, "processor_ref": wrong})


#: The fields of notices that may hold a reference instead of an id of ours.
REFERRING = ("sale", "purchase", "payment", "payment_ref", "dispute", "refund", "processor_ref")


NOTICES = [name for name, kind in COMMANDS.items() if "processor_ref" in kind.model_fields]


@pytest.mark.parametrize("name", sorted({*NOTICES, "release-payment"} - {"submit-payout"}))
def test_6_9_no_notice_is_refused_for_the_form_of_its_reference(name: str) -> None:
    for field in set(REFERRING) & set(COMMANDS[name].model_fields):
        with pytest.raises(InvalidRequest) as lacking:
            read_command(name, {field: "ch:1.2+3=@x" * 11})
        assert f"/{field}" not in {problem.pointer for problem in lacking.value.problems}


@pytest.mark.parametrize(
    "wrong",
    [0, -1, AMOUNT_MAX + 1, 2**63, 2**64, -(2**63), 10**30, 1.0, 1.5, 1e9, "5", True, None],
)
def test_an_amount_is_a_whole_number_above_zero(wrong: object) -> None:
    assert pointers("send-tip", {**TIP, "amount": wrong}) == ["/amount"]


def test_the_largest_amount_is_fine() -> None:
    assert read_command("send-tip", {**TIP, "amount": AMOUNT_MAX})


@pytest.mark.parametrize(
    "wrong",
    [
        "2026-11-20",
        "2026-11-20T05:42:00",
        "2026-11-20T05:42:00+00:00",
        "2026-11-20T05:42:00z",
        "2026-11-20 05:42:00Z",
        "2026-13-20T05:42:00Z",
        "2026-11-20T05:42:00.1234567Z",
        "2026-11-20T05:42:00Z\n",
        "٢٠٢٦-11-20T05:42:00Z",
        1_763_617_320,
        "now",
    ],
)
def test_a_time_is_rfc_3339_in_utc(wrong: object) -> None:
    assert pointers("send-tip", {**TIP, "occurred_at": wrong}) == ["/occurred_at"]


@given(st.datetimes(min_value=datetime(1900, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_every_time_with_microseconds_is_read_as_it_was_sent(instant: datetime) -> None:
    text = f"{instant:%Y-%m-%dT%H:%M:%S.%f}Z".rjust(27, "0")
    assert RFC3339_UTC.match(text)
    read = read_command("send-tip", {**TIP, "occurred_at": text})
    assert read.occurred_at == instant


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "1899-12-31T23:59:59.999999Z"])
def test_a_time_that_may_have_no_date_somewhere_is_refused(text: str) -> None:
    assert pointers("send-tip", {**TIP, "occurred_at": text}) == ["/occurred_at"]


def test_every_wrong_field_is_named_at_once() -> None:
    wrong = {"user": "a b", "creator": "", "funding": "GOLD", "amount": 0, "colour": "red"}
    assert pointers("send-tip", wrong) == ["/amount", "/colour", "/creator", "/funding", "/user"]


def test_an_unknown_command_is_named() -> None:
    assert pointers("send-love", {}) == ["/command"]


def test_what_a_card_needs_is_required_and_what_it_only_knows_is_refused() -> None:
    assert pointers("send-tip", {**TIP, "funding": "CARD"}) == ["/processor", "/processor_ref"]
    token = {**TIP, "processor": "stripe", "processor_ref": "r", "country": "DE"}
    assert pointers("send-tip", token) == ["/country", "/processor", "/processor_ref"]


def test_a_discount_takes_at_most_the_price() -> None:
    fields = {"user": "u", "creator": "c", "item": "i", "funding": "TOKEN", "price": 5}
    assert read_command("unlock", {**fields, "discount": 5})
    assert pointers("unlock", {**fields, "discount": 6}) == ["/discount"]


def around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists and objects of such values."""
    return st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)


# Two levels spelled out: a recursive strategy takes three times as long to draw from.
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
nested = leaves | around(leaves)
json_values = nested | around(nested)


@cache
def objects(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of a command's fields, and with others; made once."""
    known = sorted(COMMANDS[name].field_names())
    keys = st.sampled_from(known) | st.text(max_size=8)
    return st.dictionaries(keys, json_values, max_size=len(known))


@pytest.mark.parametrize("name", sorted(COMMANDS))
@given(data=st.data())
def test_whatever_is_sent_is_a_command_or_is_refused_with_reasons(
    name: str, data: st.DataObject
) -> None:
    fields = data.draw(objects(name))
    try:
        command = read_command(name, fields)
    except InvalidRequest as refused:
        event(f"refused for {len(refused.problems)} reasons")
    else:
        assert len(fingerprint(command)) == 16


@pytest.mark.parametrize("version", [0, -1, 2**63, 2**64, 10**30])
def test_a_version_is_a_number_too(version: int) -> None:
    assert pointers("approve-policy", {"version": version}) == ["/version"]


def test_6_13_labels_are_at_most_eight_pairs_of_ids() -> None:
    assert read_command("send-tip", {**TIP, "labels": {f"k{n}": "v" for n in range(8)}})
    nine = {f"k{n}": "v" for n in range(9)}
    for wrong in (nine, {"a b": "v"}, {"a": "b.c"}, {"a": 1}, {"": "v"}, ["a"], {"a": None}):
        with pytest.raises(InvalidRequest) as refused:
            read_command("send-tip", {**TIP, "labels": wrong})
        assert all(one.pointer.startswith("/labels") for one in refused.value.problems)


def test_6_13_the_order_of_labels_is_not_part_of_a_request() -> None:
    pairs = [("a", "1"), ("b", "2"), ("c", "3")]
    prints = {
        fingerprint(read_command("send-tip", {**TIP, "labels": dict(order)}))
        for order in itertools.permutations(pairs)
    }
    assert len(prints) == 1
