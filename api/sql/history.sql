-- name: head
-- The last position of the book.
SELECT position FROM head

-- name: page
-- Entries of a range of positions, of one type if one is asked for.
SELECT position, data FROM events
WHERE position > %(after)s AND position <= %(until)s
  AND (%(type)s::text IS NULL OR type = %(type)s)
ORDER BY position LIMIT %(limit)s

-- name: page_of_tag
-- Entries with a tag within a range of positions, of one type if one is asked for.
SELECT t.position, e.data FROM event_tags t JOIN events e ON e.position = t.position
WHERE t.tag = %(tag)s AND t.position > %(after)s AND t.position <= %(until)s
  AND (%(type)s::text IS NULL OR e.type = %(type)s)
ORDER BY t.position LIMIT %(limit)s

-- name: entry
-- One entry and its leaf hash.
SELECT data, leaf_hash FROM events WHERE position = %s
