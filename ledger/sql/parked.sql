-- name: count
-- How many messages each consumer has put aside, since when, and how many of them go on.
SELECT consumer, count(*), min(parked_at), count(*) FILTER (WHERE released)
FROM parked_messages WHERE NOT dropped GROUP BY consumer ORDER BY consumer;

-- name: list
-- What is put aside in the order of each partition; at most so many after a place.
SELECT consumer, topic, partition, at_offset, topic_id, message_key, reason, detail, tries,
       released, sent_at, parked_at
FROM parked_messages
WHERE (consumer, topic, partition, at_offset) > (%(consumer)s, %(topic)s, %(partition)s, %(offset)s)
  AND NOT dropped
ORDER BY consumer, topic, partition, at_offset LIMIT %(limit)s;

-- name: show
-- One message with all that came with it.
SELECT consumer, topic, partition, at_offset, topic_id, message_key, reason, detail, tries,
       released, sent_at, parked_at, headers, value
FROM parked_messages
WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s
  AND at_offset = %(offset)s AND NOT dropped;

-- name: release
-- Let a message and the others of its key be tried again, in their order.
UPDATE parked_messages p SET released = true
FROM parked_messages one
WHERE one.consumer = %(consumer)s AND one.topic = %(topic)s
  AND one.partition = %(partition)s AND one.at_offset = %(offset)s AND NOT one.dropped
  AND p.consumer = one.consumer AND p.topic = one.topic AND p.partition = one.partition
  AND NOT p.dropped AND (p.message_key = one.message_key OR p.at_offset = one.at_offset)
RETURNING p.at_offset;

-- name: drop
-- Give one message up for good; the others of its key stay.
UPDATE parked_messages SET dropped = true, released = false, value = NULL
WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s
  AND at_offset = %(offset)s AND NOT dropped
RETURNING at_offset;

-- name: park
-- Put a message aside; once, however often it is delivered.
INSERT INTO parked_messages (consumer, topic, topic_id, partition, at_offset, message_key, headers,
                             value, sent_at, reason, detail, tries, awaiting)
VALUES (%(consumer)s, %(topic)s, %(topic_id)s, %(partition)s, %(offset)s, %(key)s, %(headers)s,
        %(value)s, %(sent_at)s, %(reason)s, %(detail)s, %(tries)s, %(awaiting)s)
ON CONFLICT DO NOTHING;

-- name: held
-- The keys of a partition whose messages are put aside, and whether they hold up later ones.
SELECT message_key, NOT bool_and(awaiting) FROM parked_messages
WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s
  AND NOT dropped AND message_key IS NOT NULL
GROUP BY message_key;

-- name: dropped
-- Messages of a partition that were given up.
SELECT at_offset FROM parked_messages
WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s
  AND topic_id = %(topic_id)s AND dropped AND at_offset >= %(settled)s;

-- name: try_awaiting
-- What awaits something may be tried again: it may have arrived by another way.
UPDATE parked_messages SET released = true
WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s
  AND awaiting AND NOT dropped;

-- name: arrived
-- Something of these keys was applied: what awaited it may be tried again.
UPDATE parked_messages SET released = true
WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s
  AND message_key = ANY (%(keys)s) AND awaiting AND NOT dropped;

-- name: any_due
-- Whether anything of a partition is released.
SELECT EXISTS (
  SELECT FROM parked_messages
  WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s
    AND released AND NOT dropped);

-- name: due
-- Released messages of a partition, in order.
SELECT at_offset, message_key, headers, value, sent_at, tries, topic_id FROM parked_messages
WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s
  AND released AND NOT dropped
ORDER BY parked_at, at_offset LIMIT %(limit)s;

-- name: applied
-- A released message that was applied leaves.
DELETE FROM parked_messages
WHERE consumer = %(consumer)s AND topic = %(topic)s AND topic_id = %(topic_id)s
  AND partition = %(partition)s AND at_offset = %(offset)s;

-- name: failed_again
-- A released message failed again: it waits, and so do the others of its key.
UPDATE parked_messages
SET released = false,
    tries = CASE WHEN at_offset = %(offset)s THEN tries + 1 ELSE tries END,
    reason = CASE WHEN at_offset = %(offset)s THEN %(reason)s ELSE reason END,
    detail = CASE WHEN at_offset = %(offset)s THEN %(detail)s ELSE detail END,
    awaiting = CASE WHEN at_offset = %(offset)s THEN %(awaiting)s ELSE awaiting END
WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s
  AND (at_offset = %(offset)s OR (message_key = %(key)s AND NOT %(awaiting)s));

-- name: revisions
-- The last revision told of each subject.
SELECT subject, revision FROM fact_revisions WHERE consumer = %s AND subject = ANY (%s);

-- name: revise
-- A newer revision of a subject was told.
INSERT INTO fact_revisions AS f (consumer, subject, revision) VALUES (%s, %s, %s)
ON CONFLICT (consumer, subject) DO UPDATE SET revision = excluded.revision
WHERE f.revision < excluded.revision;
