-- name: policy_entries
-- Every entry about the book's policies, in order; there are few.
SELECT e.data FROM event_tags t JOIN events e ON e.position = t.position
WHERE t.tag = %s ORDER BY t.position;
