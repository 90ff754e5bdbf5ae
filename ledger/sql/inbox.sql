-- name: patience
-- For how long this transaction waits for whoever writes to the book.
SET LOCAL lock_timeout = '10s';

-- name: lock
-- The head first, as every writer does: nothing is parked, or decided again, until this is over.
SELECT FROM head FOR UPDATE;

-- name: drop
-- A parked notice is given up. That it awaited something stays, and tells it from others that are
-- ignored; the head counts it no more.
UPDATE inbox SET state = 'ignored', settled_at = statement_timestamp()
WHERE processor = %(processor)s AND command = %(command)s AND processor_ref = %(processor_ref)s
  AND state = 'parked'
RETURNING awaits;
