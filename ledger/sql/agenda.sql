-- name: enter
-- The queries that follow are about this book.
SELECT set_config('search_path', %s, false)

-- name: anything
-- The clock, the time of the last event, and whether there is anything to read on from, or anything
-- due: most of the time there is not.
SELECT clock, recorded_at,
       EXISTS (SELECT FROM event_tags
               WHERE tag = 'agenda:book' AND position > (SELECT position FROM agenda_read))
    OR EXISTS (SELECT FROM agenda WHERE due_at <= greatest(clock, recorded_at))
FROM head, (SELECT clock_timestamp() AS clock OFFSET 0) AS now

-- name: time
-- The clock, and the time of the last event.
SELECT clock_timestamp(), recorded_at FROM head

-- name: until_again
-- When the first item that comes again and again would have its second turn from now.
SELECT min(due_at + make_interval(secs => every_s)) FROM agenda WHERE NOT once

-- name: read_position
-- How far the agenda has read the log; whoever holds this row reads on.
SELECT position FROM agenda_read FOR UPDATE

-- name: put
-- What is due for an entity now, in place of what was.
INSERT INTO agenda (item, due_at, every_s, command, fields, once)
SELECT * FROM unnest(%s::text[], %s::timestamptz[], %s::int[], %s::text[], %s::jsonb[],
                     %s::boolean[])
ON CONFLICT (item) DO UPDATE
SET due_at = excluded.due_at, every_s = excluded.every_s,
    command = excluded.command, fields = excluded.fields, once = excluded.once

-- name: drop
-- Nothing is due for these any more.
DELETE FROM agenda WHERE item = ANY (%s::text[])

-- name: settle
-- Nothing is due for these any more, unless something new has been put in their place meanwhile.
DELETE FROM agenda a USING unnest(%s::text[], %s::timestamptz[]) AS over (item, due_at)
WHERE a.item = over.item AND a.due_at = over.due_at

-- name: read_to
-- The log is read up to here.
UPDATE agenda_read SET position = %s

-- name: take
-- What is due by a time, each moved to its next turn: a second scheduler, or this one
-- after a crash, finds it again only then.
WITH time AS (SELECT %(now)s::timestamptz AS now),
due AS (
  SELECT item, now - due_at AS late FROM agenda, time WHERE due_at <= now
  ORDER BY due_at LIMIT %(limit)s FOR UPDATE OF agenda SKIP LOCKED
)
UPDATE agenda a
SET due_at = a.due_at + make_interval(secs => a.every_s
      * (1 + floor(extract(epoch FROM time.now - a.due_at) / a.every_s)))
FROM due, time WHERE a.item = due.item
RETURNING a.item, a.due_at, a.command, a.fields::text, a.once,
          extract(epoch FROM due.late)::float
