-- name: claim
-- Begin with a partition as its member of a generation. Another incarnation of the topic begins at
-- its first message. Nothing, if a later generation has it and our membership is not proven.
INSERT INTO consumed AS c (consumer, topic, partition, topic_id, generation, member)
VALUES (%(consumer)s, %(topic)s, %(partition)s, %(topic_id)s, %(generation)s, %(member)s)
ON CONFLICT (consumer, topic, partition) DO UPDATE
SET epoch = c.epoch + 1, generation = excluded.generation, member = excluded.member,
    topic_id = excluded.topic_id, updated_at = statement_timestamp(),
    next_offset = CASE WHEN c.topic_id = excluded.topic_id THEN c.next_offset ELSE 0 END,
    settled_offset = CASE WHEN c.topic_id = excluded.topic_id THEN c.settled_offset ELSE 0 END
WHERE c.topic_id <> excluded.topic_id OR c.generation <= excluded.generation OR %(proven)s
RETURNING epoch, next_offset, settled_offset;

-- name: advance
-- In the transaction of the effect: everything before an offset is taken. Nothing, if the partition
-- was given to another member or generation since, or if what comes before is missing.
UPDATE consumed
SET next_offset = greatest(next_offset, %(until)s),
    settled_offset = greatest(settled_offset, %(settled)s), updated_at = statement_timestamp()
WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s
  AND topic_id = %(topic_id)s AND epoch = %(epoch)s AND generation = %(generation)s
  AND member = %(member)s AND next_offset >= %(first)s
RETURNING next_offset;

-- name: holder
-- Who has a partition.
SELECT epoch, next_offset FROM consumed
WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s;

-- name: status
-- How far each consumer has taken each partition.
SELECT consumer, topic, partition, next_offset, settled_offset, member, updated_at
FROM consumed ORDER BY consumer, topic, partition;
