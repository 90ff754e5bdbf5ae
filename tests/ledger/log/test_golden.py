"""Nothing that was ever written or answered may read differently later: stored examples of all."""

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pytest

from domain.accounts import Assets, balanced
from domain.catalogue import read_command, read_former
from domain.controls.adjustments import AdjustmentApproved
from domain.event import EVENTS, Event
from domain.rejections import INSUFFICIENT_TOKENS, INVALID_REQUEST, reject
from domain.wallets.wallet import WalletEvent
from ledger.log.entry import body_of, canonical, decode, faults, leaf_hash
from ledger.write.answer import Answer, problem
from ledger.write.receipts import remembered
from ledger.write.request import fingerprint, former_key, request_key
from tests.golden.stored import GOLDEN, LEAVES, STORED, kind_of, stored

ANSWERS = GOLDEN / "answers"


def test_every_event_has_a_stored_example_and_every_example_is_known() -> None:
    files = {path.stem for path in GOLDEN.glob("*.v*.json")}
    kinds = {kind_of(name) for name in files}
    missing = set(EVENTS) - kinds
    assert not missing, "let it happen in tests/golden/history.py, then: python -m tests.golden"
    assert not kinds - set(EVENTS), "what was written once must be read for ever"
    assert set(LEAVES) == files


#: Who sends these sends them for nobody else: only services act on somebody's behalf.
NEVER_WRITTEN = {("AdjustmentProposed", "sender"), ("PolicyProposed", "sender")}


def declared(kind: type[Event]) -> Iterator[tuple[str, str]]:
    """(class, field) of every optional field of a type of event, by the class that declares it.

    What several types inherit is written alike for all of them, so an example of one will do.
    """
    for field in msgspec.structs.fields(kind):
        if not field.required and field.name != "labels":  # those stand in the envelope
            owner = next(each for each in reversed(kind.__mro__) if field.name in declares(each))
            yield owner.__name__, field.name


def declares(owner: type) -> dict[str, object]:
    """The fields that a class declares itself."""
    return inspect.get_annotations(owner)


def test_every_optional_field_has_a_stored_example() -> None:
    written: set[tuple[str, str]] = set()
    for name in STORED:
        kind, body = EVENTS[kind_of(name)], json.loads(bytes(decode(stored(name)).body))
        written |= {(owner, field) for owner, field in declared(kind) if field in body}
    known = {pair for kind in EVENTS.values() for pair in declared(kind)}
    missing = sorted(known - written - NEVER_WRITTEN)
    assert not missing, "let it happen in tests/golden/history.py, then: python -m tests.golden"
    assert known >= NEVER_WRITTEN, "a field that is no more"
    assert not written & NEVER_WRITTEN


@pytest.mark.parametrize("name", STORED)
def test_a_stored_entry_reads_as_it_was_written(name: str) -> None:
    data = stored(name)
    assert list(faults(data)) == []
    entry = decode(data)
    assert canonical(entry) == data
    assert (entry.type, entry.envelope_version) == (kind_of(name), 1)
    assert leaf_hash(data).hex() == LEAVES[name]

    event = entry.event()
    assert body_of(event) == bytes(entry.body)
    assert event.tags() == entry.tags
    assets = Assets.of(entry.book, entry.currency)
    assert balanced(event.postings(assets)) == entry.postings
    tokens = tuple(leg for leg in entry.postings if leg[1] in (assets.paid, assets.promo))
    if not isinstance(event, AdjustmentApproved):  # a person names its legs, in any order
        declared = event.token_postings(assets) if isinstance(event, WalletEvent) else ()
        assert tokens == declared


@pytest.mark.parametrize("name", STORED)
def test_tags_name_entities_each_once(name: str) -> None:
    tags = decode(stored(name)).tags
    assert tags
    assert len(set(tags)) == len(tags)
    for tag in tags:
        assert re.fullmatch(r"[a-z_]+:[A-Za-z0-9_.:+=@-]{1,193}", tag)


@pytest.mark.parametrize(
    "change",
    [
        (b'"amount":', b'"amount":1'),
        (b'"suspense","USD",-', b'"suspense","USD",-1'),
        (b'["payment:', b'["payment:x'),
        (b'{"body"', b'{ "body"'),
        (b'"code"', b'"colour":1,"code"'),
    ],
)
def test_an_altered_entry_is_found_out(change: tuple[bytes, bytes]) -> None:
    data = stored("payment.suspended.v1")
    altered = data.replace(*change, 1)
    assert altered != data
    assert list(faults(altered))


@dataclass(frozen=True)
class Given:
    """An answer and the file that holds the bytes of its first giving."""

    file: str
    body: bytes


def answers() -> list[Given]:
    """One answer of each shape."""
    tip, kept = stored("tip.sent.v1"), stored("payment.suspended.v1")
    proposal = stored("policy.proposed.v1")
    nothing = Answer(status=201, position=5, command="freeze", recorded_at=decode(tip).recorded_at)
    poor = reject(INSUFFICIENT_TOKENS, required=13, current=12, shortfall=1)
    errors = [{"pointer": "/tokens", "message": "must be above 0"}]
    invalid = problem(reject(INVALID_REQUEST, count=1), "c1", errors=errors)
    return [
        Given("accepted", remembered(7, 201, None, None, [(7, tip)]).body),
        Given("two-events", remembered(8, 201, None, None, [(7, tip), (8, proposal)]).body),
        Given("suspended", remembered(9, 202, "PRICE_MISMATCH", None, [(9, kept)]).body),
        Given("nothing-to-do", nothing.body),
        Given("rejected+message", problem(poor, "c1")),
        Given("invalid+message", invalid),
        # A receipt of the releases before holds the document without a message, and gives it again.
        *(
            Given(name, remembered(7, status, code, answer(name), []).body)
            for name, status, code in (
                ("rejected", 402, "INSUFFICIENT_TOKENS"),
                ("invalid", 400, "INVALID_REQUEST"),
            )
        ),
    ]


def answer(name: str) -> bytes:
    """The bytes of an answer's first giving."""
    return (ANSWERS / f"{name}.json").read_bytes()


@pytest.mark.parametrize("given", answers(), ids=lambda given: given.file)
def test_an_answer_has_the_bytes_of_its_first_giving(given: Given) -> None:
    assert given.body == answer(given.file)


@pytest.mark.parametrize("known", json.loads((GOLDEN / "requests.json").read_text()))
def test_a_request_is_known_again_after_every_upgrade(known: dict[str, object]) -> None:
    name, fields, key = known["command"], known["fields"], known["idempotency_key"]
    assert isinstance(name, str) and isinstance(fields, dict) and isinstance(key, str)
    command = read_former(name, fields) or read_command(name, fields)
    notice = command.notice_id()
    keys = request_key("backend", command.name, notice, key), former_key(notice)
    assert known["key"] in {key.hex() for key in keys}
    assert fingerprint(command).hex() == known["fingerprint"]
