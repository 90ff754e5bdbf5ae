-- name: count
-- How many messages each consumer has put aside, since when, and how many of them go on.
SELECT consumer, count(*), min(parked_at), count(*) FILTER (WHERE released)
FROM parked_messages GROUP BY consumer ORDER BY consumer;

-- name: list
-- What is put aside, key by key in the order of each partition; at most so many after a place.
SELECT consumer, topic, topic_id, partition, at_offset, message_key, reason, detail, tries,
       released, sent_at, parked_at
FROM parked_messages
WHERE (consumer, topic, partition, at_offset) > (%(consumer)s, %(topic)s, %(partition)s, %(offset)s)
ORDER BY consumer, topic, partition, at_offset LIMIT %(limit)s;

-- name: show
-- One message with all that came with it.
SELECT consumer, topic, topic_id, partition, at_offset, message_key, reason, detail, tries,
       released, sent_at, parked_at, headers, value
FROM parked_messages
WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s
  AND at_offset = %(offset)s;

-- name: release
-- Let a message and the others of its key be tried again, in their order.
UPDATE parked_messages p SET released = true
FROM parked_messages one
WHERE one.consumer = %(consumer)s AND one.topic = %(topic)s
  AND one.partition = %(partition)s AND one.at_offset = %(offset)s
  AND p.consumer = one.consumer AND p.topic = one.topic AND p.partition = one.partition
  AND p.message_key IS NOT DISTINCT FROM one.message_key
  AND (p.message_key IS NOT NULL OR p.at_offset = one.at_offset)
RETURNING p.at_offset;

-- name: drop
-- Give one message up for good; the others of its key stay.
DELETE FROM parked_messages
WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s
  AND at_offset = %(offset)s
RETURNING at_offset;

-- name: park
-- Put a message aside; once, however often it is delivered.
INSERT INTO parked_messages (consumer, topic, topic_id, partition, at_offset, message_key,
                             headers, value, sent_at, reason, detail, tries)
VALUES (%(consumer)s, %(topic)s, %(topic_id)s, %(partition)s, %(offset)s, %(key)s,
        %(headers)s, %(value)s, %(sent_at)s, %(reason)s, %(detail)s, %(tries)s)
ON CONFLICT DO NOTHING;

-- name: keys
-- The keys of a partition that wait, and must go on waiting.
SELECT DISTINCT message_key FROM parked_messages
WHERE consumer = %s AND topic = %s AND partition = %s AND message_key IS NOT NULL;

-- name: due
-- Released messages of a partition, in order.
SELECT at_offset, message_key, headers, value, sent_at, tries, topic_id FROM parked_messages
WHERE consumer = %s AND topic = %s AND partition = %s AND released
ORDER BY at_offset LIMIT %s;

-- name: done
-- Released messages that were applied leave.
DELETE FROM parked_messages
WHERE consumer = %s AND topic = %s AND partition = %s AND at_offset = ANY (%s::bigint[]);

-- name: failed_again
-- A released message failed again: it waits, and so do the others of its key.
UPDATE parked_messages
SET released = false, tries = tries + 1,
    reason = CASE WHEN at_offset = %(offset)s THEN %(reason)s ELSE reason END,
    detail = CASE WHEN at_offset = %(offset)s THEN %(detail)s ELSE detail END
WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s
  AND message_key IS NOT DISTINCT FROM %(key)s AND at_offset >= %(offset)s
  AND (message_key IS NOT NULL OR at_offset = %(offset)s);
