-- name: head
-- The last position of the log, read without the sequencer's lock.
SELECT position FROM head;

-- name: volume
-- All that the book has ever posted.
SELECT volume FROM head;

-- name: latest_time
-- A time that nothing recorded is after: the database's clock, or the book's own time where that is
-- ahead of it.
SELECT greatest(clock_timestamp(), recorded_at + interval '1 second') FROM head;

-- name: types
-- How many events of each type there are.
SELECT type, count(*) FROM events GROUP BY type ORDER BY type;

-- name: page
-- Every entry after one position and up to another.
SELECT position, data FROM events WHERE position > %s AND position <= %s ORDER BY position;

-- name: listing
-- Entries after one position and up to another, of one type if one is asked for.
SELECT position, data FROM events
WHERE position > %(after)s AND position <= %(until)s
  AND (%(type)s::text IS NULL OR type = %(type)s)
ORDER BY position LIMIT %(limit)s;

-- name: listing_back
-- The same, the newest first.
SELECT position, data FROM events
WHERE position > %(after)s AND position <= %(until)s
  AND (%(type)s::text IS NULL OR type = %(type)s)
ORDER BY position DESC LIMIT %(limit)s;

-- name: listing_of_tag
-- The same among the entries with a tag.
SELECT t.position, e.data FROM event_tags t JOIN events e ON e.position = t.position
WHERE t.tag = %(tag)s AND t.position > %(after)s AND t.position <= %(until)s
  AND (%(type)s::text IS NULL OR e.type = %(type)s)
ORDER BY t.position LIMIT %(limit)s;

-- name: listing_of_tag_back
-- The same, the newest first.
SELECT t.position, e.data FROM event_tags t JOIN events e ON e.position = t.position
WHERE t.tag = %(tag)s AND t.position > %(after)s AND t.position <= %(until)s
  AND (%(type)s::text IS NULL OR e.type = %(type)s)
ORDER BY t.position DESC LIMIT %(limit)s;

-- name: sharing
-- The first entries with each of some tags, so many at most.
SELECT k.tag, t.position FROM unnest(%s::text[]) AS k (tag)
CROSS JOIN LATERAL (
  SELECT position FROM event_tags WHERE tag = k.tag ORDER BY position LIMIT %s
) t;

-- name: reach_of_tag
-- The position of the last of so many entries with a tag; none if there are fewer.
SELECT position FROM event_tags
WHERE tag = %(tag)s AND position > %(after)s AND position <= %(until)s
ORDER BY position OFFSET %(entries)s - 1 LIMIT 1;

-- name: entry
-- One entry and its leaf hash.
SELECT data, leaf_hash FROM events WHERE position = %s;

-- name: entries
-- Entries by position.
SELECT position, data FROM events WHERE position = ANY (%s::bigint[]);

-- name: histories
-- The entries with one of some tags, up to a position, in the order of the log.
SELECT k.tag, t.position, e.data
FROM unnest(%s::text[]) AS k (tag)
CROSS JOIN LATERAL (
  SELECT position FROM event_tags WHERE tag = k.tag AND position <= %s OFFSET 0
) t
CROSS JOIN LATERAL (SELECT data FROM events WHERE position = t.position OFFSET 0) e
ORDER BY t.position;

-- name: position_at
-- The last position recorded at or before a time: recorded times rise with positions, so halving
-- the range of positions finds it in as many probes as the head has bits.
WITH RECURSIVE halves (low, high, depth) AS (
  SELECT 0::bigint, position, 0 FROM head
  UNION ALL
  SELECT CASE WHEN before THEN middle ELSE low END,
         CASE WHEN before THEN high ELSE middle - 1 END, depth + 1
  FROM (
    SELECT low, high, depth, middle,
           (SELECT recorded_at FROM events WHERE position = middle) <= %s AS before
    FROM (SELECT low, high, depth, (low + high + 1) / 2 AS middle FROM halves) h
    WHERE low < high
  ) probed
)
SELECT low FROM halves ORDER BY depth DESC LIMIT 1;

-- name: scan
-- Events that match one of the items, in order: reads every event after `after`.
SELECT e.position, e.type, e.data, e.tags
FROM events e
WHERE e.position > %(after)s AND e.position <= %(until)s
  AND (%(everything)s OR EXISTS (
    SELECT FROM jsonb_to_recordset(%(items)s) AS item (types text[], tags text[])
    WHERE (item.types = '{}' OR e.type = ANY (item.types)) AND e.tags @> item.tags
  ))
ORDER BY e.position LIMIT %(limit)s;

-- name: tagged
-- The same where every item names a tag: walks the tag index and stops at the limit.
SELECT DISTINCT ON (found.position) found.position, found.type, found.data, found.tags
FROM jsonb_to_recordset(%(items)s) AS item (types text[], tags text[])
CROSS JOIN LATERAL (
  SELECT e.position, e.type, e.data, e.tags
  FROM event_tags t JOIN events e ON e.position = t.position
  WHERE t.tag = item.tags[1] AND t.position > %(after)s AND t.position <= %(until)s
    AND (item.types = '{}' OR e.type = ANY (item.types)) AND e.tags @> item.tags
  ORDER BY t.position LIMIT %(limit)s
) found
ORDER BY found.position LIMIT %(limit)s;
