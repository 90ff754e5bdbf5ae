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
-- Rows of the tag index and receipts that speak of positions the head has not reached.
SELECT t.position, 'tag index', t.tag FROM event_tags t
WHERE t.position > (SELECT position FROM head)
UNION ALL
SELECT r.position, 'receipt', encode(r.key, 'hex') FROM receipts r
WHERE r.position > (SELECT position FROM head)
LIMIT %s;

-- name: receipts
-- Receipts by key; `parked`: of notices that waited when they were first answered.
SELECT key, fingerprint, position, events, coalesce(code = 'AWAITING_REFERENT', false) AS parked
FROM receipts WHERE key = ANY (%s::bytea[]);

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
