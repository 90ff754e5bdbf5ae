-- name: mark
-- This book is a copy that is filled from a topic, in whatever order it comes; its head follows.
-- Whoever fills it indexes the tags, too. Commands leave receipts, so none can be written.
UPDATE head SET copied = true WHERE NOT copied;
GRANT INSERT ON event_tags TO tokenledger_app;
REVOKE INSERT ON receipts FROM tokenledger_app;

-- name: set_apart
-- Read models that are moved by members of a group, not by a runner: to a runner they are of
-- another version. Their checkpoint says up to where everything is in them.
UPDATE projections SET version = -abs(version) WHERE name = ANY (%s);

-- name: relaxed
-- What a crash takes is fetched from the topic again, with the places that it took along.
SET synchronous_commit = off;

-- name: known
-- Which of these positions are here already.
SELECT position FROM events WHERE position = ANY (%s);

-- name: copy_events
-- Events in whatever order they come.
COPY events (position, event_id, type, tags, occurred_at, recorded_at, data, leaf_hash)
FROM STDIN (FORMAT binary);

-- name: copy_tags
-- Their tag index.
COPY event_tags (tag, position) FROM STDIN;

-- name: lead
-- Whether we are the one to move the head and what needs the whole order.
SELECT pg_try_advisory_lock(hashtextextended('tokenledger.replica.' || current_schema(), 0));

-- name: end_stalled
-- Ends the session of a leader whose process does nothing any more.
SELECT tokenledger.end_stalled('tokenledger.replica.' || current_schema(), %s);

-- name: move_head
-- The head goes on along the entries that are here without a gap, and with it the checkpoint of the
-- read models that members move: everything up to there is in them. Nothing, if it stays.
WITH moved AS (SELECT follow_copy(%(entries_max)s) AS position)
UPDATE projections p SET position = moved.position, updated_at = statement_timestamp()
FROM moved WHERE moved.position > %(head)s AND p.name = ANY (%(names)s)
RETURNING p.name;

-- name: partitions_end
-- The last position that has a partition.
SELECT coalesce(max(last_position), 0) FROM partitions;

-- name: add_partitions
-- Two empty partitions ahead of the head.
SELECT add_partitions();
