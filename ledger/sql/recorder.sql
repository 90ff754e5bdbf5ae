-- name: head
-- The last position, read without the lock.
SELECT position FROM head;

-- name: scan
-- Events that match one of the items, in order: reads every event after `after`.
SELECT e.position, e.type, e.data, e.tags
FROM events e
WHERE e.position > %(after)s AND e.position <= %(until)s
  AND (%(everything)s OR EXISTS (
    SELECT FROM jsonb_to_recordset(%(items)s) AS item (types text[], tags text[])
    WHERE (item.types = '{}' OR e.type = ANY (item.types)) AND e.tags @> item.tags
  ))
ORDER BY e.position LIMIT %(limit)s;

-- name: tagged
-- The same where every item names a tag: walks the tag index and stops at the limit.
SELECT DISTINCT ON (found.position) found.position, found.type, found.data, found.tags
FROM jsonb_to_recordset(%(items)s) AS item (types text[], tags text[])
CROSS JOIN LATERAL (
  SELECT e.position, e.type, e.data, e.tags
  FROM event_tags t JOIN events e ON e.position = t.position
  WHERE t.tag = item.tags[1] AND t.position > %(after)s AND t.position <= %(until)s
    AND (item.types = '{}' OR e.type = ANY (item.types)) AND e.tags @> item.tags
  ORDER BY t.position LIMIT %(limit)s
) found
ORDER BY found.position LIMIT %(limit)s;

-- name: lock_head
-- Takes the sequencer of a log without a catalogue.
SELECT position, recorded_at, partition_rows FROM head FOR UPDATE;

-- name: under_lock
-- The clock, and whether a book writes here: whatever passes a sequencer leaves a receipt.
SELECT clock_timestamp(), EXISTS (SELECT FROM receipts);

-- name: copy_events
-- The log's own door, where nothing is answered.
COPY events (position, event_id, type, tags, occurred_at, recorded_at, data, leaf_hash)
FROM STDIN (FORMAT binary);

-- name: index_tags
-- The tag index of the events just copied; a tag named twice counts once.
INSERT INTO event_tags (tag, position)
SELECT DISTINCT tag, position FROM events, unnest(tags) AS tag
WHERE position > %s AND position <= %s
ORDER BY tag, position;
