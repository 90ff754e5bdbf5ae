"""Silent changes by somebody who may do everything: verification names each, and where it is.

Every change starts from the same sound book, and is taken back. What is changed agrees with itself
as far as anybody can make it agree who knows the code.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from ledger.books import get_book
from ledger.postgres import embedded
from ledger.verification.log import verify_log
from ledger.verification.snapshots import verify_snapshots
from tests.conftest import FreshBook
from tests.ledger.verification.forger import Forger
from tests.projections.sound_book import copied, told, undone, verified

TIP, PURCHASED = "tip.sent.v1", "tokens.purchased.v1"
FORGED_KEY = "0123456789abcdef0123456789abcdef"


def add(**more: int) -> Callable[[dict[str, Any]], None]:
    """A change of a body: so much more of some amounts."""

    def change(body: dict[str, Any]) -> None:
        for name, amount in more.items():
            body[name] += amount

    return change


def more_for_the_creator(body: dict[str, Any]) -> None:
    """A hundred go to the creator instead of the platform."""
    add(creator_share=100, platform_share=-100)(body)
    body["payees"][0]["share"] += 100


def rates(body: dict[str, Any]) -> None:
    """Creators get more of everything."""
    body["body"]["revenue_share"]["default"] = 9_900


def swapped(forger: Forger) -> None:
    """Two tips change places."""
    at = forger.last(TIP)
    first, second = forger.entry(at), forger.entry(at - 1)
    forger.run("DELETE FROM event_tags WHERE position IN (%s, %s)", at, at - 1)
    forger.store(at, second)
    forger.store(at - 1, first)


def cut_off(forger: Forger) -> None:
    """The last event never was: neither it, its receipt, its tags nor its place."""
    at = forger.head()
    last = forger.entry(at)
    forger.run("DELETE FROM events WHERE position = %s", at)
    forger.run("DELETE FROM event_tags WHERE position = %s", at)
    forger.run("DELETE FROM receipts WHERE key = %s", bytes.fromhex(last.key))
    recorded_at = forger.entry(at - 1).recorded_at
    forger.run("UPDATE head SET position = %s, recorded_at = %s", at - 1, recorded_at)


def moved_in_time(forger: Forger) -> None:
    """A tip was recorded a microsecond later, everywhere."""
    at = forger.last(TIP)
    recorded_at = forger.entry(at).recorded_at + timedelta(microseconds=1)
    forger.rewrite(at, recorded_at=recorded_at, occurred_at=recorded_at)
    forger.run("UPDATE head SET recorded_at = %s", recorded_at)


def spent_twice(forger: Forger) -> None:
    """All that dee had is spent a second time, as by a process whose states were out of date."""
    forger.append(forger.last(TIP, buyer="dee"), key=FORGED_KEY)


def from_nothing(forger: Forger) -> None:
    """A tip out of a lot of a thousand million tokens that a forged snapshot has put there."""
    at = forger.last(TIP, buyer="ben")

    def change(body: dict[str, Any]) -> None:
        body["lots"] = [{**body["lots"][0], "lot": "forged", "purchase": "forged"}]

    forger.append(at, change, key=FORGED_KEY)


def bought_by_nobody(forger: Forger) -> None:
    """Tokens for ann that nobody paid for, without a request that anybody sent."""
    at = forger.last(PURCHASED, user="ann")
    forger.append(at, lambda body: body.update(processor_ref="p-new"), key=None)


def bought_with_a_receipt(forger: Forger) -> None:
    """The same with a receipt, of a key that is not that of the payment's reference."""
    at = forger.last(PURCHASED, user="ann")
    forger.append(at, lambda body: body.update(processor_ref="p-new"), key=FORGED_KEY)


def same_id(forger: Forger) -> None:
    """Two events have one id."""
    at = forger.last(TIP)
    forger.rewrite(at, event_id=forger.entry(at - 1).event_id)


def another_key(forger: Forger) -> None:
    """A purchase and its receipt have another key: its notice would be booked again."""
    at = forger.last(PURCHASED, user="ann")
    key = forger.entry(at).key
    forger.rewrite(at, key=FORGED_KEY)
    forger.run(
        "UPDATE receipts SET key = %s WHERE key = %s",
        bytes.fromhex(FORGED_KEY), bytes.fromhex(key),
    )  # fmt: skip


def both_versions(forger: Forger) -> None:
    """The rates of a policy, where it was proposed and where it was published."""
    forger.rewrite(forger.last("policy.proposed.v1"), rates)
    forger.rewrite(forger.last("policy.published.v1"), rates)


def refused_after_all(forger: Forger) -> None:
    """What a rejection said."""
    forger.run("UPDATE receipts SET code = 'ACCOUNT_FROZEN' WHERE code = 'INSUFFICIENT_TOKENS'")


def accepted_after_all(forger: Forger) -> None:
    """A rejection was an acceptance."""
    forger.run("UPDATE receipts SET code = NULL, status = 201 WHERE code = 'INSUFFICIENT_TOKENS'")


def a_state_of_much(forger: Forger) -> None:
    """A snapshot of a wallet with far more tokens in its lot."""
    stored = forger.connection.execute(
        "SELECT state FROM snapshots WHERE entity = 'wallet:ann'"
    ).fetchone()
    assert stored is not None
    state = msgspec.msgpack.decode(stored[0])
    state[0][0][3] += 1_000_000_000
    forger.run(
        "UPDATE snapshots SET state = %s WHERE entity = 'wallet:ann'",
        msgspec.msgpack.encode(state),
    )


def done(statement: str, *parameters: object) -> Callable[[Forger], None]:
    """A change by one statement."""
    return lambda forger: forger.run(statement, *parameters)


def rewritten(type_name: str, change: Any = lambda _body: None, **envelope: Any) -> Any:
    """A change of the last event of a type."""
    return lambda forger: forger.rewrite(forger.last(type_name), change, **envelope)


LAST_TIP = f"(SELECT max(position) FROM events WHERE type = '{TIP}')"

#: What is changed, the kind of the finding, and a part of what it says.
CHANGES: dict[str, tuple[Callable[[Forger], None], str, str]] = {
    # The log.
    "an amount": (
        done("UPDATE events SET data = d.data, leaf_hash = sha256('\\x00'::bytea || d.data) FROM"
             " (SELECT position, convert_to(replace(convert_from(data, 'UTF8'), 'rev.margin',"
             " 'rev.margim'), 'UTF8') AS data FROM events) d"
             " WHERE d.position = events.position AND events.data <> d.data"),
        "entry", "rev.margin"),
    "a share and its postings": (
        rewritten(TIP, more_for_the_creator), "decision on send-tip", "creator_share"),
    "the tokens of a purchase": (
        rewritten(PURCHASED, add(tokens=9_000)), "decision on record-purchase", '"tokens":10000'),
    "who approved a payout": (
        rewritten("payout.approved.v1", lambda body: body.update(approver="backend"),
                  principal="backend"),
        "decision on approve-payout", "SELF_APPROVAL_FORBIDDEN"),
    "a fee of a payout": (
        rewritten("payout.requested.v1", add(fee=100, net=-100)),
        "decision on request-payout", '"fee":100'),
    "the rates of a published policy": (
        rewritten("policy.published.v1", rates), "decision on approve-policy", "9900"),
    "the rates of a policy in both its events": (
        both_versions, "decision on send-tip", "creator_share"),
    "two events changed places": (swapped, "recorded_at", "later than"),
    "the last event is cut off": (cut_off, "agenda", "read up to"),
    "an event in the middle is gone": (
        done(f"DELETE FROM events WHERE position = {LAST_TIP} - 1"), "position", "an event"),
    "when a row was recorded": (
        done("UPDATE events SET recorded_at = recorded_at + interval '1us'"
             f" WHERE position = {LAST_TIP} - 1"), "recorded_at", ""),
    "when an entry was recorded": (moved_in_time, "event_id", ""),
    "the day of an entry": (
        lambda forger: forger.rewrite(
            forger.last(TIP), effective_on=forger.entry(forger.last(TIP)).effective_on
            - timedelta(days=40)),
        "effective_on", ""),
    "an id stands twice": (same_id, "event_id", ""),
    "a lot is spent twice": (spent_twice, "lot", "of dee has 1"),
    "a lot out of nothing is spent": (from_nothing, "lot", "forged of ben has 7"),
    "a purchase without a request": (bought_by_nobody, "key", "record-purchase of backend"),
    "a purchase with a made-up receipt": (bought_with_a_receipt, "key", "p-new"),
    "the key of a notice": (another_key, "key", "p-ann"),
    "a command that there is not": (
        rewritten(TIP, command="send-money"), "command", "send-money"),
    "the tag index lacks a tag": (
        done(f"DELETE FROM event_tags WHERE tag = 'wallet:ben' AND position = {LAST_TIP}"),
        "tag index", "wallet:ben"),
    "the tag index has one more": (
        done(f"INSERT INTO event_tags VALUES ('wallet:zoe', {LAST_TIP})"),
        "tag index", "wallet:zoe"),
    "the book's currency": (
        done("UPDATE tokenledger.books SET currency = 'EUR'"), "currency", "EUR"),
    "the book's time zone": (
        done("UPDATE tokenledger.books SET time_zone = 'Africa/Abidjan'"),
        "time zone", "Africa/Abidjan"),
    "the head's time": (
        done("UPDATE head SET recorded_at = recorded_at + interval '1 day'"),
        "head recorded_at", ""),
    # Receipts.
    "a receipt is gone": (
        done(f"DELETE FROM receipts WHERE position = {LAST_TIP}"), "receipt", "one of the key"),
    "a fingerprint": (
        done("UPDATE receipts SET fingerprint = '0123456789abcdef'::bytea"
             f" WHERE position = {LAST_TIP}"), "receipt fingerprint", ""),
    "what a receipt says was answered": (
        done(f"UPDATE receipts SET status = 202 WHERE position = {LAST_TIP} - 1 AND events = 1"),
        "receipt status", "202"),
    "why a command was rejected": (refused_after_all, "receipt body", "ACCOUNT_FROZEN"),
    "that a command was rejected": (accepted_after_all, "receipt body", ""),
    # The inbox.
    "a parked notice is marked as applied": (
        done("UPDATE inbox SET state = 'applied', awaits = NULL, position = 3"
             " WHERE state = 'parked'"), "inbox", "charge-period s-1"),
    "a parked notice awaits what is there": (
        done("UPDATE inbox SET awaits = 'wallet:ben' WHERE state = 'parked'"),
        "inbox", "charge-period s-1"),
    "a parked notice is gone": (
        done("DELETE FROM inbox WHERE state = 'parked'"), "inbox", "the notice of the receipt"),
    "how many notices are parked": (
        done("UPDATE head SET parked = 0"), "inbox", "1 parked notices in the head"),
    "a suspended notice is marked as applied": (
        done("UPDATE inbox SET state = 'applied', position = 5 WHERE processor_ref = 'odd'"),
        "inbox", "record-purchase odd"),
    "a released notice is suspended again": (
        done("UPDATE inbox SET state = 'suspended', position = NULL"
             " WHERE processor_ref = 'odder'"), "inbox", "it was released at"),
    "what a kept notice said": (
        done("UPDATE inbox SET fields = convert_to(replace(convert_from(fields, 'UTF8'), '999',"
             " '1'), 'UTF8') WHERE state = 'parked'"), "inbox", "the fingerprint of its fields"),
    # Texts.
    "a text": (done("UPDATE texts SET text = 'another letter'"), "text", "evidence of hash"),
    "a text is gone": (done("DELETE FROM texts"), "text", "the text of evidence"),
    "a text of no event": (
        done("INSERT INTO texts SELECT event_id, 'note', salt, text, subjects FROM texts"),
        "text", "with note"),
    # The agenda.
    "when something is due": (
        done("UPDATE agenda SET due_at = due_at - interval '1 year' WHERE item LIKE 'hold:%%'"),
        "agenda", "release-hold"),
    "what is due": (
        done("UPDATE agenda SET fields = '{\"hold\": \"x\"}' WHERE item LIKE 'hold:%%'"),
        "agenda", "release-hold"),
    "something that is due is gone": (
        done("DELETE FROM agenda WHERE item LIKE 'hold:%%'"), "agenda", "release-hold"),
    "something is due that no event says": (
        done("INSERT INTO agenda SELECT 'hold:x', due_at, every_s, command, fields FROM agenda"
             " LIMIT 1"), "agenda", "hold:x"),
    "how far the agenda has read": (
        done("UPDATE agenda_read SET position = position + 100"), "agenda", "read up to"),
    # Caches and copies.
    "a snapshot": (a_state_of_much, "snapshot", "wallet:ann"),
    "how far the relay has published": (
        done("UPDATE relay SET position = 1000"), "relay", "published up to"),
}  # fmt: skip

#: The same of what is only seen from the read models.
READ_MODELS: dict[str, tuple[Callable[[Forger], None], str, str]] = {
    "the last event is cut off": (cut_off, "wallets position", "at most"),
    "a wallet's balance": (
        done("UPDATE wallets SET free_paid = free_paid + 1 WHERE user_id = 'ben'"),
        "row of wallets", "ben"),
    "a posting of the journal": (
        done("UPDATE journal SET amount = amount + 1 WHERE position = 3 AND account_id = 1"),
        "row of journal", ""),
    "a total": (
        done("UPDATE accounts SET balance = 0 WHERE account = 'deferred'"),
        "row of accounts", "deferred"),
}  # fmt: skip


def test_nothing_is_found_where_nothing_was_changed(
    server: embedded.Server, sound: FreshBook
) -> None:
    with copied(server, sound) as fresh:
        report = verified(fresh, structure=True)
        assert (report.differences, report.structure) == ((), True)


@pytest.mark.parametrize("name", CHANGES)
def test_a_silent_change_beside_or_in_the_log_is_found(sound: FreshBook, name: str) -> None:
    change, what, where = CHANGES[name]
    with undone(sound) as connection:
        forger = Forger(connection, sound.book)
        with forger.unguarded():
            change(forger)
        book = get_book(connection, sound.book.name)
        found = [*verify_log(connection, book), *verify_snapshots(connection)]
    assert told(found, what, where), found


@pytest.mark.parametrize("name", READ_MODELS)
def test_a_silent_change_of_a_read_model_is_found(
    server: embedded.Server, sound: FreshBook, name: str
) -> None:
    change, what, where = READ_MODELS[name]
    with copied(server, sound) as fresh:
        with fresh.connect_admin(autocommit=True) as connection:
            forger = Forger(connection, fresh.book)
            with forger.unguarded():
                change(forger)
        report = verified(fresh)
    assert told(report.differences, what, where), report.differences


def test_what_only_a_checkpoint_kept_outside_can_catch(
    server: embedded.Server, sound: FreshBook
) -> None:
    """Whoever cuts the log off and everything that was read of it leaves nothing to compare."""
    with copied(server, sound) as fresh:
        with fresh.connect_admin(autocommit=True) as connection:
            forger = Forger(connection, fresh.book)
            with forger.unguarded():
                cut_off(forger)
                forger.run("DELETE FROM projections")
                forger.run("UPDATE agenda_read SET position = (SELECT position FROM head)")
                forger.run('DELETE FROM agenda WHERE fields @> \'{"user": "ben"}\'')
                forger.connection.execute("TRUNCATE snapshots")
        assert verified(fresh).sound
