"""The words that scenarios are written in: what people do, and what is seen afterwards.

Amounts are cents, or tokens where a word says so. Fans, creators and items are named so that a
sentence reads well; every command gets an idempotency key of its own unless `key` gives one.
"""

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.scenarios.stage import Expectation, Stage

_references = itertools.count(1)

FAN, CREATOR = "fan", "creator"


@dataclass(frozen=True, slots=True)
class Sent:
    """A command, its sender, and the idempotency key if it matters."""

    command: str
    fields: dict[str, Any]
    role: str = "service"
    actor: str = "backend"
    client: str = "backend"
    key: str | None = None

    def but(self, key: str | None = None, **fields: Any) -> "Sent":
        """The same with another key or other fields."""
        return replace(self, key=key or self.key, fields={**self.fields, **fields})

    def by(self, role: str, actor: str) -> "Sent":
        """The same, sent by somebody else."""
        return replace(self, role=role, actor=actor)


# What people do.


def policy(document: dict[str, Any]) -> list[Sent]:
    """Alice proposes the document, Bob approves it; in force ever since."""
    since = {"body": document, "effective_from": "1970-01-01T00:00:00Z"}
    return [
        Sent("propose-policy", since, "admin", "alice"),
        Sent("approve-policy", {"version": document.get("version", 1)}, "approver", "bob"),
    ]


def purchase(package: str, price: int, user: str = FAN, ref: str | None = None) -> Sent:
    """A processor was paid for a package of tokens."""
    return Sent(
        "record-purchase",
        {"user": user, "package": package, "price": price, **_payment(ref)},
    )


def grant(tokens: int, user: str = FAN, **fields: Any) -> Sent:
    """Promotional tokens are given."""
    given = {"user": user, "tokens": tokens, "reason_code": "WELCOME", **fields}
    return Sent("grant-promo", given)


def tip(tokens: int, user: str = FAN, creator: str = CREATOR, key: str | None = None) -> Sent:
    """A tip in tokens."""
    fields = {"user": user, "creator": creator, "funding": "TOKEN", "amount": tokens}
    return Sent("send-tip", fields, key=key)


def card_tip(amount: int, user: str = FAN, creator: str = CREATOR, **more: Any) -> Sent:
    """A tip by card."""
    fields = {"user": user, "creator": creator, "funding": "CARD", "amount": amount, **more}
    return Sent("send-tip", {**fields, **_payment(more.get("processor_ref"))})


def unlock(
    price: int, item: str | None = None, user: str = FAN, key: str | None = None, **more: Any
) -> Sent:
    """An unlock paid in tokens."""
    return Sent("unlock", _item(price, item, user, more), key=key)


def card_unlock(price: int, item: str | None = None, user: str = FAN, **more: Any) -> Sent:
    """An unlock paid by card."""
    fields = _item(price, item, user, {"funding": "CARD", **_payment(None), **more})
    return Sent("unlock", fields)


def ticket(price: int, item: str | None = None, user: str = FAN, **more: Any) -> Sent:
    """A ticket to a stream, in tokens."""
    return Sent("buy-ticket", _item(price, item, user, more))


def freeze(subject: str, kind: str, scope: str) -> Sent:
    """Somebody may not do something from now on."""
    fields = {"subject": subject, "kind": kind, "scope": scope, "reason_code": "REVIEW"}
    return Sent("freeze", fields)


def _item(price: int, item: str | None, user: str, more: dict[str, Any]) -> dict[str, Any]:
    item = item or f"item-{next(_references)}"
    fields = {"user": user, "creator": CREATOR, "item": item, "funding": "TOKEN", "price": price}
    return {**fields, **more}


def _payment(ref: str | None) -> dict[str, str]:
    return {"processor": "stripe", "processor_ref": ref or f"ref-{next(_references)}"}


# What is seen afterwards.


def accepted(times: int = 1) -> "Expectation":
    """So many of the commands had their effect."""

    def check(stage: "Stage") -> None:
        found = [o for o in stage.outcomes if o.status == 201 and not o.replayed]
        assert len(found) == times, [(o.status, o.code) for o in stage.outcomes]

    return check


def rejected(code: str, times: int = 1, status: int | None = None, **details: Any) -> "Expectation":
    """So many of the commands were refused for this reason, with these details."""

    def check(stage: "Stage") -> None:
        found = [o for o in stage.outcomes if o.code == code and o.status >= 400]
        assert len(found) == times, [(o.status, o.code) for o in stage.outcomes]
        for outcome in found:
            assert outcome.status == (status or outcome.status)
            shown = outcome.json["details"]
            assert {name: shown.get(name) for name in details} == details

    return check


def suspended(code: str, times: int = 1) -> "Expectation":
    """So many notices were kept, their money in suspense, because of this contradiction."""

    def check(stage: "Stage") -> None:
        found = [o for o in stage.outcomes if o.code == code and o.status == 202]
        assert len(found) == times, [(o.status, o.code) for o in stage.outcomes]
        assert all(o.json["outcome"] == "suspended" for o in found)

    return check


def sold(which: int = -1, **amounts: int) -> "Expectation":
    """A sale's own amounts, such as creator_share, platform_share, released."""

    def check(stage: "Stage") -> None:
        event = stage.outcomes[which].event
        assert {name: event[name] for name in amounts} == amounts

    return check


def split(creator: int, platform: int) -> "Expectation":
    """How the last sale was divided."""
    return sold(creator_share=creator, platform_share=platform)


def wallet(tokens: int, user: str = FAN) -> "Expectation":
    """All tokens a fan has, of either class."""

    def check(stage: "Stage") -> None:
        book = stage.name
        account = f"w.{user}.free"
        held = [-stage.balance(account, f"{book}.{kind}") for kind in ("PAID", "PROMO")]
        assert sum(held) == tokens, held

    return check


def creator_has(amount: int, creator: str = CREATOR, bucket: str = "available") -> "Expectation":
    """What the platform owes a creator."""
    return credit(f"cr.{creator}.{bucket}", amount)


def credit(account: str, amount: int) -> "Expectation":
    """The credit balance of an account: a liability or an income."""

    def check(stage: "Stage") -> None:
        assert -stage.balance(account) == amount, account

    return check


def debit(account: str, amount: int) -> "Expectation":
    """The debit balance of an account: an asset or an expense."""

    def check(stage: "Stage") -> None:
        assert stage.balance(account) == amount, account

    return check


def events(kind: str, times: int) -> "Expectation":
    """How many events of a type the log holds."""

    def check(stage: "Stage") -> None:
        assert sum(entry.type == kind for entry in stage.entries()) == times

    return check


margin = "rev.margin"
commission = "rev.commission"
deferred = "deferred"
promo_cost = "exp.promo"
suspense = "suspense"
