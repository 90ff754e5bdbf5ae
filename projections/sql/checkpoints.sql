-- name: follow
-- A checkpoint at 0 unless there is one.
INSERT INTO projections (name, version) VALUES (%s, %s) ON CONFLICT DO NOTHING RETURNING name;

-- name: followed
-- How many of these have a checkpoint.
SELECT count(*) FROM projections WHERE name = ANY (%s::text[]);

-- name: beside_checkpoints
-- What is created until the end of the transaction stands in the schema of the checkpoints.
SELECT set_config('search_path',
                  format('%I, %s', n.nspname, current_setting('search_path')), true)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = 'projections'::regclass;

-- name: guard
-- Only one process at a time creates the tables of a book's read models.
SELECT pg_advisory_xact_lock(
  hashtextextended('tokenledger.projections.' || current_schema(), 0));

-- name: behind
-- Those of some schemas whose books have a read model behind the log, or lack one.
SELECT * FROM tokenledger.books_behind(%s, %s);

-- name: enter
-- Makes a book's schemas the search path.
SELECT set_config('search_path', %s, false);

-- name: take
-- The runner's lock; it goes with the session, so a dead runner's is free at once.
SELECT pg_try_advisory_lock(
  hashtextextended('tokenledger.projection.' || current_schema() || '.' || %s, 0));

-- name: end_stalled
-- The lease of the runner's lock: ends the session of a holder whose process does nothing any more.
SELECT tokenledger.end_stalled(
  'tokenledger.projection.' || current_schema() || '.' || %s, %s);

-- name: release
-- The runner's lock, given back.
SELECT pg_advisory_unlock(
  hashtextextended('tokenledger.projection.' || current_schema() || '.' || %s, 0));

-- name: release_all
-- Every lock of a session that is done.
SELECT pg_advisory_unlock_all();

-- name: read
-- Where a projection stands.
SELECT version, position, updated_at FROM projections WHERE name = %s;

-- name: lock
-- Where a projection stands, held until the end of the transaction. First in every transaction,
-- so that whoever swaps the tables and whoever writes them never wait for each other in a ring.
SELECT version, position, updated_at FROM projections WHERE name = %s FOR UPDATE;

-- name: limit_lock_wait
-- Whoever wants the same lock waits behind us: give up soon, and try again later.
SELECT set_config('lock_timeout', %s, true);

-- name: lock_free
-- The same of several, but for those that somebody else holds: nobody waits for those.
SELECT name, version, position, updated_at FROM projections WHERE name = ANY (%s::text[])
FOR UPDATE SKIP LOCKED;

-- name: advance
-- The new checkpoint of several; what failed before has passed now.
UPDATE projections
SET position = %s, failed_at = NULL, failure = NULL, updated_at = statement_timestamp()
WHERE name = ANY (%s::text[]) RETURNING updated_at;

-- name: fail
-- Where a projection stopped and why.
UPDATE projections SET failed_at = %s, failure = %s, updated_at = statement_timestamp()
WHERE name = %s RETURNING updated_at;

-- name: relaxed
-- A commit lost in a crash takes its checkpoint with it and is folded again from the log, so the
-- read models need not wait for the disk that the log itself waits for.
SET synchronous_commit = off;

-- name: status
-- Every read model, how far it is behind the head, in events and by the age in seconds of the
-- first event that it has not read (0 if a damaged log lacks it), and why it stopped if it did.
-- What a rebuild makes beside the live tables is left out.
SELECT p.name, p.version, p.position, greatest(h.position - p.position, 0),
       CASE WHEN p.position < h.position AND next.recorded_at IS NOT NULL
            THEN extract(epoch FROM clock_timestamp() - next.recorded_at)::float8
            ELSE 0 END,
       p.failed_at, p.failure, p.updated_at, h.position
FROM head h
CROSS JOIN projections p
LEFT JOIN events next ON next.position = p.position + 1
WHERE right(p.name, 6) <> '__next' ORDER BY p.name;

-- name: forget
-- A checkpoint that nobody needs any more.
DELETE FROM projections WHERE name = %s;

-- name: adopt
-- A live checkpoint takes over what was built beside it.
UPDATE projections l
SET version = b.version, position = b.position, failed_at = NULL, failure = NULL,
    updated_at = statement_timestamp()
FROM projections b WHERE l.name = %s AND b.name = %s;

-- name: positions
-- How far some projections are, together.
SELECT coalesce(sum(position), 0)::bigint FROM projections WHERE name = ANY (%s::text[]);
