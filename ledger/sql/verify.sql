-- name: head
-- The head row, and the last event there is, at one moment.
SELECT position, recorded_at, (SELECT coalesce(max(position), 0) FROM events) FROM head;

-- name: page
-- A range of the log with everything that stands beside an entry.
SELECT position, event_id, type, tags, occurred_at, recorded_at, data, leaf_hash
FROM events WHERE position > %s AND position <= %s ORDER BY position;

-- name: missing_tags
-- Tags that events have and the index lacks.
SELECT k.position, k.tag FROM unnest(%s::bigint[], %s::text[]) AS k (position, tag)
WHERE NOT EXISTS (SELECT FROM event_tags t WHERE t.tag = k.tag AND t.position = k.position)
ORDER BY k.position, k.tag;

-- name: count_tags
-- How many tags the index has up to a position.
SELECT count(*) FROM event_tags WHERE position <= %s;

-- name: extra_tags
-- Tags that the index has and events lack.
SELECT t.position, t.tag FROM event_tags t LEFT JOIN events e ON e.position = t.position
WHERE t.position <= %s AND (e.position IS NULL OR NOT t.tag = ANY (e.tags))
ORDER BY t.position, t.tag LIMIT %s;

-- name: beyond
-- What speaks of positions that the head has not reached: the log was cut off, or forged.
SELECT t.position, 'tag index', t.tag FROM event_tags t
WHERE t.position > (SELECT position FROM head)
UNION ALL
SELECT r.position, 'receipt', encode(r.key, 'hex') FROM receipts r
WHERE r.position > (SELECT position FROM head)
UNION ALL
SELECT s.position, 'snapshot', s.entity FROM snapshots s
WHERE s.position > (SELECT position FROM head)
UNION ALL
SELECT i.position, 'inbox', i.processor_ref FROM inbox i
WHERE i.position > (SELECT position FROM head)
UNION ALL
SELECT a.position, 'agenda', 'read up to there' FROM agenda_read a
WHERE a.position > (SELECT position FROM head)
UNION ALL
SELECT p.position, 'relay', 'published up to there' FROM relay p
WHERE p.position > (SELECT position FROM head)
LIMIT %s;

-- name: partitions
-- Partitions of the log that are attached and not registered, or registered and not attached so.
WITH attached AS (
  SELECT c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bound
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
  WHERE i.inhparent = 'events'::regclass
), registered AS (
  SELECT name, format('FOR VALUES FROM (%%L) TO (%%L)', first_position, last_position + 1) AS bound,
         first_position - 1 = lag(last_position, 1, 0::bigint) OVER (ORDER BY first_position)
           AS next
  FROM partitions
)
SELECT format('%%s %%s', coalesce(r.name, a.name), coalesce(r.bound, a.bound)),
       CASE WHEN r.name IS NULL THEN 'not registered'
            WHEN a.name IS NULL THEN 'not attached'
            WHEN NOT r.next THEN 'not the next one'
            ELSE a.bound END
FROM registered r FULL JOIN attached a ON a.name = r.name
WHERE r.bound IS DISTINCT FROM a.bound OR NOT r.next
ORDER BY 1 LIMIT %s;

-- name: receipts
-- Receipts by key; `parked`: of notices that waited when they were first answered.
SELECT key, fingerprint, position, events, status, code, body,
       coalesce(code = 'AWAITING_REFERENT', false) AS parked
FROM receipts WHERE key = ANY (%s::bytea[]);

-- name: answers
-- Receipts that claim no event, after a key.
SELECT key, position, status, code, body FROM receipts
WHERE key > %s AND events = 0 ORDER BY key LIMIT %s;

-- name: kept_nowhere
-- Receipts of notices that were kept, according to them, and are not in the inbox.
SELECT encode(r.key, 'hex'), r.position FROM receipts r
WHERE r.status = 202 AND NOT EXISTS (SELECT FROM inbox i WHERE i.key = r.key)
LIMIT %s;

-- name: count_receipts
-- How many events the receipts claim, up to a position.
SELECT coalesce(sum(events), 0) FROM receipts WHERE events > 0 AND position <= %s;

-- name: receipts_page
-- Receipts that claim events, after a key.
SELECT key, fingerprint, position, events FROM receipts
WHERE key > %s AND events > 0 AND position <= %s ORDER BY key LIMIT %s;

-- name: count_snapshots
-- How many snapshots there are, about.
SELECT count(*) FROM snapshots;

-- name: snapshots
-- Snapshots after an entity and a fold version.
SELECT entity, position, fold_version, state FROM snapshots
WHERE (entity, fold_version) > (%s, %s) ORDER BY entity, fold_version LIMIT %s;
