-- name: inbox
-- Kept notices after one, with the receipt of their key. `passed`: an event with the tag that it
-- awaits has come since.
SELECT i.processor, i.processor_ref, i.command, i.fields, i.key, i.fingerprint, i.state, i.awaits,
       i.position, r.fingerprint, coalesce(r.position, 0), coalesce(r.events, 0::smallint), r.code,
       EXISTS (SELECT FROM event_tags t
               WHERE t.tag = i.awaits AND t.position > coalesce(i.position, r.position))
FROM inbox i LEFT JOIN receipts r ON r.key = i.key
WHERE (i.processor, i.processor_ref, i.command) > (%s, %s, %s)
ORDER BY i.processor, i.processor_ref, i.command LIMIT %s;

-- name: parked
-- How many notices wait, as the head counts them and as they are.
SELECT h.parked, (SELECT count(*) FROM inbox WHERE state = 'parked') FROM head h;

-- name: bodies
-- The bodies that receipts keep, of some keys.
SELECT body FROM receipts WHERE key = ANY (%s::bytea[]) AND body IS NOT NULL;

-- name: texts
-- The texts of some events.
SELECT event_id, field, salt, text, subjects FROM texts WHERE event_id = ANY (%s::uuid[]);

-- name: count_texts
-- How many texts there are of events up to one: ids are in the order of the log.
SELECT count(*) FROM texts WHERE event_id <= %s;

-- name: texts_page
-- Texts after one, of events up to one.
SELECT event_id, field FROM texts WHERE (event_id, field) > (%s, %s) AND event_id <= %s
ORDER BY event_id, field LIMIT %s;

-- name: agenda_read
-- How far the agenda has read the log.
SELECT position FROM agenda_read;

-- name: create_agenda
-- What the log says is due, for this session alone; of what is over, only when it was.
CREATE TEMPORARY TABLE IF NOT EXISTS verified_agenda (
  item     text COLLATE "C" PRIMARY KEY,
  due_at   timestamptz,
  every_s  integer,
  command  text,
  fields   jsonb,
  once     boolean,
  position bigint NOT NULL
);
TRUNCATE verified_agenda;

-- name: put_agenda
-- What is due for an item now, in place of what was.
INSERT INTO verified_agenda (item, due_at, every_s, command, fields, once, position)
SELECT * FROM unnest(%s::text[], %s::timestamptz[], %s::int[], %s::text[], %s::jsonb[],
                     %s::boolean[], %s::bigint[])
ON CONFLICT (item) DO UPDATE
SET due_at = excluded.due_at, every_s = excluded.every_s, command = excluded.command,
    fields = excluded.fields, once = excluded.once, position = excluded.position;

-- name: agenda
-- Items that differ, as far as the agenda has read the log. A turn is taken by moving the due time
-- on by whole intervals; an item that has come due may be dealt with and gone.
SELECT v.position, coalesce(v.item, a.item),
       CASE WHEN v.due_at IS NOT NULL THEN
         format('%%s %%s at %%s every %%s s%%s', v.command, v.fields, v.due_at, v.every_s,
                CASE WHEN v.once THEN ' once' ELSE '' END) END,
       CASE WHEN a.item IS NOT NULL THEN
         format('%%s %%s at %%s every %%s s%%s', a.command, a.fields, a.due_at, a.every_s,
                CASE WHEN a.once THEN ' once' ELSE '' END) END
FROM agenda a FULL JOIN verified_agenda v ON v.item = a.item, agenda_read r, head h
WHERE (v.item IS NULL OR v.position <= r.position)
  AND CASE
    WHEN a.item IS NULL THEN v.due_at > greatest(clock_timestamp(), h.recorded_at)
    WHEN v.due_at IS NULL THEN true
    ELSE (a.command, a.fields, a.every_s, a.once) IS DISTINCT FROM
         (v.command, v.fields, v.every_s, v.once)
      OR a.due_at < v.due_at
      OR extract(epoch FROM a.due_at - v.due_at) %% v.every_s <> 0
  END
ORDER BY coalesce(v.item, a.item) LIMIT %s;
