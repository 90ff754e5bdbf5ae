"""Bulk: lines in, answers out in the same order; broken ones alone, or all or nothing."""

import json
from typing import Any

import httpx

from api.http.commands.bulk import _chunks
from ledger.settings import Settings
from tests.api.conftest import Caller, Tenant, fresh, purchase, serving, tip


def line(command: str, fields: dict[str, Any], key: str | None = "") -> bytes:
    """A line; `key` None leaves it out, by default a fresh one."""
    more = {} if key is None else {"idempotency_key": key or fresh("key")}
    return json.dumps({"command": command} | more | fields).encode()


def answers(response: Any) -> list[dict[str, Any]]:
    """The lines of an answer."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(text) for text in response.content.splitlines()]


def test_each_line_is_answered_as_the_single_route_would(tenant: Tenant, service: Caller) -> None:
    user, key = tenant.funded(), fresh("key")
    body = b"\n".join(
        [
            line("send-tip", tip(user, "c1"), key),
            b"{broken",
            b"",
            line("send-tip", tip(user, "c1", 0)),
            line("send-tip", tip(user, "c1"), key),
            b"   ",
            line("send-tip", tip(fresh("poor"), "c1")),
            line("no-such", {}),
            line("send-tip", tip(user, "c1"), None),
            line("record-purchase", purchase(user, price=1), None),
            b'{"idempotency_key": "k"}',
            b'"text"',
            line("send-tip", tip(user, "c1") | {"idempotency_key": 7}, None),
        ]
    )
    found = answers(service.bulk(body))
    assert [answer["status"] for answer in found] == [
        201, 400, 400, 201, 402, 400, 400, 202, 400, 400, 400,
    ]  # fmt: skip
    assert found[3].pop("replayed") is True
    assert found[3] == found[0]
    assert {answer["code"] for answer in found if answer["status"] == 400} == {"INVALID_REQUEST"}
    assert found[7]["code"] == "PRICE_MISMATCH"
    single = service.send("send-tip", tip(user, "c1"), key=key)
    assert single.json() | {"status": 201} == found[0]


def test_good_lines_among_bad_ones_stand(tenant: Tenant, service: Caller) -> None:
    user = tenant.funded(1_000)
    lines = [line("send-tip", tip(user, "c1", 1)) if n % 3 else b"]" for n in range(2_500)]
    found = answers(service.bulk(b"\r\n".join(lines)))
    statuses = [201 if n % 3 else 400 for n in range(2_500)]
    accepted = statuses.index(400, 1)
    assert [answer["status"] for answer in found][:accepted] == statuses[:accepted]
    good = [answer for answer in found if answer["status"] == 201]
    poor = [answer for answer in found if answer["status"] == 402]
    assert len(good) == 1_000 and len(good) + len(poor) == 1_666
    positions = [answer["position"] for answer in good]
    assert positions == sorted(positions)
    wallet = service.ask("wallets/" + user, min_position=positions[-1]).json()
    assert wallet["lifetime"]["spent"] == 1_000 and wallet["free"]["promo"] == 0


def test_an_empty_request_has_an_empty_answer(service: Caller) -> None:
    assert answers(service.bulk(b"")) == []
    assert answers(service.bulk(b"\n\n")) == []
    assert answers(service.bulk(b"", atomic="true")) == []


def test_a_line_over_the_limit_fails_alone(tenant: Tenant, service: Caller) -> None:
    user = tenant.funded()
    large = line("send-tip", tip("x" * 100_000, "c1"))
    found = answers(service.bulk(large + b"\n" + line("send-tip", tip(user, "c1"))))
    assert [answer["status"] for answer in found] == [413, 201]


def test_atomic_all(tenant: Tenant, service: Caller) -> None:
    user = tenant.funded(30)
    lines = b"\n".join(line("send-tip", tip(user, "c1", 10), fresh("all")) for _ in range(3))
    first = service.bulk(lines, atomic="true")
    assert [answer["status"] for answer in answers(first)] == [201] * 3
    again = answers(service.bulk(lines, atomic="true"))
    assert all(answer.pop("replayed") for answer in again)
    assert again == answers(first)


def test_atomic_nothing(tenant: Tenant, service: Caller) -> None:
    user = tenant.funded(20)
    before = tenant.written()
    keys = [fresh("none") for _ in range(3)]
    lines = [line("send-tip", tip(user, "c1", 10), key) for key in keys]
    found = answers(service.bulk(b"\n".join(lines), atomic="true"))
    assert [answer["status"] for answer in found] == [409, 409, 402]
    assert {answer["code"] for answer in found[:2]} == {"BATCH_ABORTED"}
    assert found[0]["details"] == {"line": 3}
    broken = answers(service.bulk(b"\n".join([lines[0], b"{", lines[1]]), atomic="true"))
    assert [answer["status"] for answer in broken] == [409, 400, 409]
    assert broken[0]["details"] == {"line": 2}
    assert tenant.written() == before
    assert service.send("send-tip", tip(user, "c1", 10), key=keys[2]).status_code == 201


def test_too_many_lines_to_be_atomic(tenant: Tenant, service: Caller) -> None:
    before = tenant.written()
    response = service.bulk(b"{}\n" * 4_097, atomic="true")
    assert (response.status_code, response.json()["code"]) == (400, "INVALID_REQUEST")
    assert tenant.written() == before


def test_a_key_is_needed(tenant: Tenant) -> None:
    nobody = Caller(tenant.http, tenant.book.name, None)
    response = nobody.bulk(b"{}")
    assert (response.status_code, response.json()["code"]) == (401, "UNAUTHENTICATED")


def test_more_lines_than_the_queue_holds(tenant: Tenant, service: Caller) -> None:
    narrow = Settings(queue_commands_max=10)
    with serving(tenant.where, narrow) as url, httpx.Client(base_url=url) as http:
        caller = Caller(http, tenant.book.name, service.key)
        user = tenant.funded(100)
        lines = [line("send-tip", tip(user, "c1", 1)) for _ in range(100)]
        found = answers(caller.bulk(b"\n".join(lines)))
        assert [answer["status"] for answer in found] == [201] * 100
        refused = caller.bulk(b"\n".join(lines[:11]), atomic="true")
        assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_REQUEST")


def test_chunks_are_bounded_in_lines_and_bytes() -> None:
    body = b"\n \r\n1234\r\n5678 \n\n  9\nabcdefghijkl\nm\nn\no\np\rq"
    assert list(_chunks(body, 3, 10)) == [
        [b"1234", b"5678"], [b"  9"], [b"abcdefghijkl"], [b"m", b"n", b"o"], [b"p\rq"],
    ]  # fmt: skip
    assert list(_chunks(b"\n" * 1_000, 3, 10)) == []
    assert list(_chunks(b"", 3, 10)) == []


def test_large_lines_pass_in_several_batches(tenant: Tenant, service: Caller) -> None:
    """A batch has a bounded number of bytes; what is larger than that goes alone."""
    small = Settings(batch_bytes_max=65_536, queue_bytes_max=1_048_576)
    with serving(tenant.where, small) as url, httpx.Client(base_url=url, timeout=20) as http:
        caller = Caller(http, tenant.book.name, service.key)
        user = tenant.funded(100)
        padded = [line("send-tip", tip(user, "c1", 1)).ljust(30_000) + b"\n" for _ in range(50)]
        lines = [text.replace(b"{", b"{" + b" " * 40_000, 1) for text in padded]
        found = answers(caller.bulk(b"".join(lines)))
        assert [answer["status"] for answer in found] == [201] * 50
        found = answers(caller.bulk(b"".join(lines), atomic="true"))
        assert all(answer["replayed"] for answer in found)
