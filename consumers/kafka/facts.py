"""Facts that others tell: payments, calls, accounts, deliveries; each becomes one command.

A fact is `{"id", "fact", "version", "data"}` and, where it has one, `occurred_at`; `data` holds
the command's own fields. Its id makes it one fact however often it is told. Facts of an account's
status carry a `revision` that rises with each change of the subject, so that one that arrives late
does not undo a later one.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from consumers.kafka.inbound import MessageReading, Unreadable, invalid_field

VERSION = 1
_ENVELOPE = {"id", "fact", "version", "occurred_at", "revision", "data"}


class Fact(msgspec.Struct, frozen=True):
    """What a fact means: the command, fields that follow from the fact itself, what it is about.

    `subject`: fields of the command that name what a revision belongs to, after the kind.
    """

    command: str
    means: str
    fixed: dict[str, Any] = {}
    subject: tuple[str, ...] = ()
    kind: str = ""
    timed: bool = True
    """Whether the command takes when it happened; calls go by the server's clock."""


_CARD = {"funding": "CARD"}
FACTS: dict[str, dict[str, Fact]] = {
    "payments": {
        "purchase.paid": Fact("record-purchase", "A package of tokens was paid for."),
        "tip.paid": Fact("send-tip", "A tip was paid by card.", _CARD),
        "item.paid": Fact("unlock", "An item was paid by card.", _CARD),
        "message.paid": Fact("unlock-message", "A message was paid by card.", _CARD),
        "ticket.paid": Fact("buy-ticket", "A ticket was paid by card.", _CARD),
        "period.paid": Fact("charge-period", "A period of a subscription was paid."),
        "period.failed": Fact("fail-period", "A period of a subscription could not be charged."),
        "payment.failed": Fact("fail-payment", "A payment failed, also after it had succeeded."),
        "refund.succeeded": Fact("record-refund", "The processor paid a refund."),
        "refund.failed": Fact("fail-refund", "A refund did not arrive."),
        "dispute.opened": Fact("open-dispute", "A bank disputes a payment."),
        "dispute.closed": Fact("close-dispute", "A dispute is won or lost."),
    },
    "calls": {
        "call.started": Fact("start-call", "A call began.", timed=False),
        "call.ticked": Fact("meter-call", "A call goes on.", timed=False),
        "call.paused": Fact("pause-call", "A call pauses.", timed=False),
        "call.resumed": Fact("resume-call", "A call goes on after a pause.", timed=False),
        "call.ended": Fact("end-call", "A call is over.", timed=False),
    },
    "account-status": {
        "account.suspended": Fact(
            "freeze", "An account may not act any more.", {}, ("kind", "subject", "scope"), "freeze"
        ),
        "account.reinstated": Fact(
            "unfreeze", "An account may act again.", {}, ("kind", "subject", "scope"), "freeze"
        ),
        "creator.verified": Fact(
            "verify-creator", "A creator is verified.", {"verified": True}, ("creator",), "verified"
        ),
        "creator.unverified": Fact(
            "verify-creator",
            "A creator is not verified any more.",
            {"verified": False},
            ("creator",),
            "verified",
        ),
        "payout_account.changed": Fact(
            "set-payout-account", "Where a creator is paid changed.", {}, ("creator",), "payouts"
        ),
    },
    "delivery-reports": {
        "batch.delivered": Fact("settle-batch", "A batch of a campaign was delivered."),
        "campaign.completed": Fact("release-hold", "Nothing of a campaign is to come any more."),
    },
}


def reader(topic: str) -> Callable[[dict[str, Any]], MessageReading]:
    """How messages of one of the topics of facts are read; raises Denied or Unreadable."""
    known = FACTS[topic]

    def read(message: dict[str, Any]) -> MessageReading:
        name, version = message.get("fact"), message.get("version")
        fact = known.get(name) if isinstance(name, str) else None
        if fact is None:
            raise Unreadable("UNKNOWN_TYPE", f"{topic} has no fact {name!r}"[:200])
        if version != VERSION:
            raise Unreadable("UNKNOWN_VERSION", f"{name} of version {version!r}"[:200])
        return _reading(fact, message)

    return read


def _reading(fact: Fact, message: dict[str, Any]) -> MessageReading:
    unknown = sorted(set(message) - _ENVELOPE)
    identity, data = message.get("id"), message.get("data")
    if unknown:
        raise invalid_field(f"/{unknown[0]}", "is no field of a fact")
    if not isinstance(identity, str):
        raise invalid_field("/id", "is required: a string that no other fact has")
    if not isinstance(data, dict):
        raise invalid_field("/data", "is required: an object with the fields of the fact")
    fields = data | fact.fixed
    if fact.timed and message.get("occurred_at") is not None:
        fields["occurred_at"] = message["occurred_at"]
    key = f"fact-{identity}"
    if not fact.subject:
        return MessageReading(fact.command, fields, key)
    revision = message.get("revision")
    if not isinstance(revision, int) or isinstance(revision, bool) or not 0 <= revision < 2**63:
        raise invalid_field("/revision", "is required: an integer that rises with every change")
    about = ":".join(str(fields.get(field, "")) for field in fact.subject)
    return MessageReading(fact.command, fields, key, f"{fact.kind}:{about}", revision)
