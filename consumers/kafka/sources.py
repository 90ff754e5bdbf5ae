"""What may be consumed: a topic each, how its messages are read, and what is told about them."""

from collections.abc import Callable
from typing import Any

import msgspec

from consumers.kafka import facts, topics
from consumers.kafka.inbound import Item, MessageReading, read_command
from consumers.kafka.replies import Replies
from consumers.kafka.topics import Stream
from ledger.streams.consumed import Claim
from ledger.write.answer import Answer


class IntakeSource(msgspec.Struct, frozen=True):
    """One kind of incoming messages.

    `early`: they tell what happened, so what they speak of may still be on its way. Of such a
    message that is rejected in the end a dead letter is made as well, for somebody to see.
    """

    name: str
    stream: Stream
    read: Callable[[dict[str, Any]], MessageReading]
    early: bool

    def tell(self, replies: Replies, claim: Claim, item: Item, answer: Answer) -> list[Any]:
        """Say what was decided; the producer's futures."""
        sent = [replies.decided(item, answer)]
        if self.early and answer.status >= 400 and not answer.replayed:
            reason, detail = answer.code or "REJECTED", answer.body.decode()
            sent.append(replies.bury(claim.topic, claim.partition, item, reason, detail))
        return sent


SOURCES = {
    source.name: source
    for source in (
        IntakeSource("commands", topics.COMMANDS, read_command, early=False),
        IntakeSource("payments", topics.PAYMENTS, facts.reader("payments"), early=True),
        IntakeSource("calls", topics.CALLS, facts.reader("calls"), early=True),
        IntakeSource(
            "account-status", topics.ACCOUNT_STATUS, facts.reader("account-status"), early=True
        ),
        IntakeSource(
            "delivery-reports",
            topics.DELIVERY_REPORTS,
            facts.reader("delivery-reports"),
            early=True,
        ),
    )
}
