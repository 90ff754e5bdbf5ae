"""Keeps a group member's partitions fetchable, where kafka-python 3.0.12 forgets to.

While a group is divided anew the library fetches nothing of the partitions that it may have to
give up. Where the same ones are assigned again it was seen to keep that mark for ever. When a
partition's leader has a new epoch it waits for the broker to confirm the position; ours stands in
PostgreSQL, messages are acknowledged by all replicas, and a topic that was made anew is known by
its id, so the position is taken as it is. Whose turn it is PostgreSQL says, not these marks.
"""

from kafka import KafkaConsumer


def keep_fetching(consumer: KafkaConsumer) -> None:
    """Take away what stops fetching from partitions that are ours in a group at rest."""
    at_rest = consumer._coordinator.stable()  # noqa: SLF001 -- nothing public tells of it
    for place, state in list(consumer._subscription.assignment.items()):  # noqa: SLF001
        if state.awaiting_validation:
            consumer.seek(place, state.position.offset)
        if at_rest and state._pending_revocation:  # noqa: SLF001
            state.mark_pending_revocation(val=False)
