-- name: page
-- The log after a position, in order.
SELECT position, data FROM events WHERE position > %s ORDER BY position LIMIT %s;

-- name: head
-- The last position of the book.
SELECT position FROM head;
