-- name: take_turn
-- The relay's turn, if it is free or the lease of its holder is over.
UPDATE relay
SET epoch = epoch + 1, holder = %(holder)s,
    lease_until = statement_timestamp() + make_interval(secs => %(lease_s)s)
WHERE lease_until IS NULL OR lease_until < statement_timestamp()
RETURNING epoch, position, topic_id;

-- name: save
-- The broker has acknowledged everything up to a position; nothing if it is not our turn any more.
-- Answers the head that it sees.
UPDATE relay
SET position = %(position)s, topic_id = %(topic_id)s, published_at = statement_timestamp(),
    lease_until = statement_timestamp() + make_interval(secs => %(lease_s)s)
WHERE epoch = %(epoch)s
RETURNING (SELECT position FROM head);

-- name: keep_turn
-- A longer lease; nothing if it is not our turn any more. Answers the head that it sees.
UPDATE relay SET lease_until = statement_timestamp() + make_interval(secs => %(lease_s)s)
WHERE epoch = %(epoch)s
RETURNING (SELECT position FROM head);

-- name: give_turn_back
-- The next relay need not wait for the lease to end.
UPDATE relay SET lease_until = NULL, holder = NULL WHERE epoch = %s;

-- name: set_back
-- Publish again after a position, whoever holds the turn: its holder loses it.
UPDATE relay SET position = %s, epoch = epoch + 1, lease_until = NULL, holder = NULL;

-- name: status
-- How far the log is published, and since when the first unpublished event waits.
SELECT r.position, h.position,
       coalesce(extract(epoch FROM clock_timestamp() - (
         SELECT recorded_at FROM events WHERE position = r.position + 1)), 0)::float8,
       r.lease_until > clock_timestamp(), r.holder, r.published_at
FROM relay r, head h;
