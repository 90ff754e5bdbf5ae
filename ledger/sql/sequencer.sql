-- name: settle
-- For the life of a writer's connection. Its look-ups are always by key, many keys at once, into
-- tables whose statistics lag behind: only nested loops over indexes are right.
SELECT set_config('lock_timeout', '2s', false),
       set_config('enable_seqscan', 'off', false),
       set_config('enable_hashjoin', 'off', false),
       set_config('enable_mergejoin', 'off', false),
       set_config('enable_bitmapscan', 'off', false);

-- name: lock_head
-- Takes the sequencer. The service may lock the row and change nothing in it.
SELECT position, recorded_at, commits, partition_rows, parked, volume FROM head FOR UPDATE;

-- name: clock
-- Read after the lock was taken: before, it could run behind the last event of whoever held it.
SELECT clock_timestamp();

-- name: count_commit
-- Lets other processes know that somebody passed, also with receipts only; adds what has moved.
SELECT count_commit(%s);

-- name: receipts
-- What was already answered, by key; the keys come as one string of 16 bytes each.
SELECT r.key, r.fingerprint, r.position, r.events, r.status, r.code, r.body
FROM (SELECT %s::bytea AS keys OFFSET 0) AS given,
     generate_series(0, %s::int - 1) AS nth,
     LATERAL (SELECT * FROM receipts WHERE key = substr(given.keys, nth * 16 + 1, 16)) AS r;

-- name: states
-- Entities as snapshot and tail: one row for the snapshot and one for each event after it, none for
-- an entity never seen. A view of an entity has a key of its own and is folded from the entity's
-- tag. Keys, tags and versions come as one string each, spaces between: ids hold none. The last
-- two numbers bound the events of each entity and all rows: whoever reads that many has not all.
SELECT entity, is_snapshot, position, data FROM (
  SELECT k.entity, found.is_snapshot, found.position, found.data
  FROM unnest(string_to_array(%s, ' '), string_to_array(%s, ' '),
              string_to_array(%s, ' ')::int[]) AS k (entity, tag, fold_version)
  LEFT JOIN snapshots s ON s.entity = k.entity AND s.fold_version = k.fold_version
  CROSS JOIN LATERAL (
    SELECT true AS is_snapshot, s.position, s.state AS data WHERE s.entity IS NOT NULL
    UNION ALL
    SELECT false, t.position, e.data
    FROM (
      SELECT position FROM event_tags WHERE tag = k.tag AND position > coalesce(s.position, 0)
      ORDER BY position LIMIT %s
    ) t
    JOIN events e ON e.position = t.position
  ) found
  LIMIT %s
) loaded
ORDER BY entity, position;

-- name: append
-- The log's own door: events and the answers. The database checks the events, indexes their tags
-- and moves the head.
COPY events (position, event_id, type, tags, occurred_at, recorded_at, data, leaf_hash)
FROM STDIN (FORMAT binary);
COPY receipts (key, fingerprint, position, events, status, code, body)
FROM STDIN (FORMAT binary);

-- name: partitions_end
-- The last position that has a partition.
SELECT coalesce(max(last_position), 0) FROM partitions;

-- name: add_partitions
-- Two empty partitions ahead of the head.
SELECT add_partitions();

-- name: stuck_holders
-- Sessions that hold the sequencer in a transaction and have waited for their client for over
-- 1.5 s: their process is frozen. Never one that waits for a lock or for a synchronous standby.
SELECT a.pid, pg_terminate_backend(a.pid)
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.relation = 'head'::regclass AND l.mode = 'RowShareLock' AND l.granted
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND a.pid <> pg_backend_pid()
  AND a.wait_event_type = 'Client' AND a.wait_event = 'ClientRead'
  AND a.query_start < clock_timestamp() - interval '1500 ms';

-- name: write_snapshots
-- Snapshots written behind; a newer one is never replaced by an older one.
INSERT INTO snapshots AS s (entity, position, fold_version, state)
SELECT * FROM unnest(%s::text[], %s::bigint[], %s::int[], %s::bytea[])
ON CONFLICT (entity, fold_version) DO UPDATE
SET position = excluded.position, state = excluded.state
WHERE s.position < excluded.position;

-- name: old_snapshots
-- Lets go of snapshots that neither this release nor the one before it reads.
DELETE FROM snapshots s USING unnest(%s::text[], %s::int[]) AS k (kind, fold_version)
WHERE split_part(s.entity, ':', 1) = k.kind AND s.fold_version < k.fold_version - 1;

-- name: entities
-- Entities after one, in order: steps over the index from tag to tag.
WITH RECURSIVE tags (tag) AS (
  SELECT min(tag) FROM event_tags WHERE tag > %s
  UNION ALL
  SELECT (SELECT min(e.tag) FROM event_tags e WHERE e.tag > tags.tag) FROM tags
  WHERE tags.tag IS NOT NULL
)
SELECT tag FROM tags WHERE tag IS NOT NULL LIMIT %s;

-- name: parked
-- The notices that await one of some tags.
SELECT processor, processor_ref, command, fields, principal, client, correlation_id, key,
       fingerprint, awaits, received_at
FROM inbox WHERE state = 'parked' AND awaits = ANY (%s::text[]) ORDER BY received_at;

-- name: parked_count
-- How many notices wait, and since how many seconds the first does.
SELECT parked, (SELECT extract(epoch FROM clock_timestamp() - received_at)
                FROM inbox WHERE state = 'parked' ORDER BY received_at LIMIT 1)
FROM head;

-- name: keep_notices
-- Notices that could not simply be applied.
COPY inbox (processor, processor_ref, command, fields, principal, client, correlation_id,
            key, fingerprint, state, awaits, received_at)
FROM STDIN (FORMAT binary);

-- name: conclude_notice
-- What became of a kept notice.
UPDATE inbox
SET state = %(status)s, awaits = %(awaits)s, position = %(position)s, settled_at = %(at)s
WHERE processor = %(processor)s AND command = %(command)s AND processor_ref = %(processor_ref)s;

-- name: keep_text
-- A text whose hash stands in the log.
INSERT INTO texts (event_id, field, salt, text, subjects)
VALUES (%(event_id)s, %(field)s, %(salt)s, %(text)s, %(subjects)s);

-- name: erase_texts
-- Texts about a subject that is erased, with their salts.
DELETE FROM texts WHERE subjects && %s::text[];

-- name: accept_clock
-- An administrator's word that the clock is right: the book's own time is put there.
UPDATE head SET recorded_at = statement_timestamp() WHERE recorded_at < statement_timestamp();

-- name: times
-- The clock, and when the last event was recorded.
SELECT clock_timestamp(), recorded_at FROM head;
