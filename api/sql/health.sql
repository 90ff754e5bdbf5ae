-- name: projections
-- The book's head, and how far each projection is: name, position, age of the first event that
-- it has not read, and why it stopped. What a rebuild makes beside the live tables is not shown.
-- One row without a name where there is no projection yet.
SELECT head.position, p.name, p.position,
       CASE WHEN p.position < head.position
            THEN extract(epoch FROM clock_timestamp() - next.recorded_at)::float8
            ELSE 0 END,
       p.failed_at, p.failure
FROM head
LEFT JOIN projections p ON right(p.name, 6) <> '__next'
LEFT JOIN events next ON next.position = p.position + 1
ORDER BY p.name
