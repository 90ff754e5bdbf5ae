-- name: drop
-- A read model's table, if it is there.
DROP TABLE IF EXISTS {table};

-- name: rename
-- Put a table in the place of the one it was built beside.
ALTER TABLE {built} RENAME TO {live};

-- name: differences
-- Rows of two tables that differ, by their key, as the live one has them and as they should be.
SELECT to_jsonb(l) AS live, to_jsonb(b) AS built
FROM {live} l FULL JOIN {built} b USING ({key})
WHERE ROW (l.*) IS DISTINCT FROM ROW (b.*)
LIMIT %s;
