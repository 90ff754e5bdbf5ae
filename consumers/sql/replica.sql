-- name: mark
-- This book is a copy that is filled from a topic: commands leave receipts, so none can be written.
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

-- name: dense
-- Up to where every event is here: the end of the run that begins after the head.
SELECT max(position), max(recorded_at) FROM (
  SELECT position, recorded_at, position - row_number() OVER (ORDER BY position) AS missing
  FROM (SELECT position, recorded_at FROM events
        WHERE position > %(head)s ORDER BY position LIMIT %(limit)s) next
) numbered WHERE missing = %(head)s;

-- name: move_head
-- Every event up to a position is here, and in the read models that members move.
WITH moved AS (
  UPDATE head SET position = %(position)s, recorded_at = %(recorded_at)s, commits = commits + 1)
UPDATE projections
SET position = %(position)s, updated_at = statement_timestamp()
WHERE name = ANY (%(names)s);

-- name: partitions_end
-- The last position that has a partition.
SELECT coalesce(max(last_position), 0) FROM partitions;

-- name: add_partitions
-- Two empty partitions ahead of the head.
SELECT add_partitions();
