-- name: tables
-- The rows of a register: what its columns say of each thing, the state that they follow from, as
-- the domain encodes it, and where in the log its life began and was last changed. Labels are
-- KEY=VALUE.
CREATE TABLE {table} ({columns}) WITH (fillfactor = 70);
GRANT SELECT ON {table} TO tokenledger_auditor;

-- name: index
-- By which rows are asked for: those of one value and one status stand in the order of the log.
CREATE INDEX ON {table} ({column}, status, first_position) WHERE {column} IS NOT NULL;

-- name: indexes
-- What every register is asked for: by status, by amount, by labels.
CREATE INDEX ON {table} (status, first_position);
CREATE INDEX ON {table} USING gin (labels) WITH (fastupdate = off) WHERE labels IS NOT NULL;

-- name: index_of_amount
-- For those that ask for large amounts.
CREATE INDEX ON {table} ({column});

-- name: load
-- The rows that a page changes, as they are.
SELECT {names} FROM {table} WHERE id = ANY (%s::text[]);

-- name: put
-- The rows that a page changed, as they are now.
INSERT INTO {table} ({names}, labels)
SELECT {names}, string_to_array(labels, ',') FROM unnest({arrays}) AS page ({names}, labels)
ON CONFLICT (id) DO UPDATE SET {changes};

-- name: one
-- One row with the position it stands for; nulls where there is none.
SELECT p.position, {names}
FROM projections p LEFT JOIN {table} o ON o.id = %(id)s AND {wanted}
WHERE p.name = {register};

-- name: list
-- A page of the rows of some statuses, in the order in which their lives began. Each status is a
-- walk along an index.
SELECT p.position, {names}
FROM projections p
LEFT JOIN LATERAL (
  SELECT o.*
  FROM unnest(%(statuses)s::text[]) AS s (status)
  CROSS JOIN LATERAL (
    SELECT * FROM {table} o
    WHERE o.status = s.status COLLATE "C"
      AND o.first_position BETWEEN %(first)s::bigint AND %(last)s::bigint AND {wanted}
    ORDER BY o.first_position {order}, o.id {order} LIMIT %(limit)s
  ) o
  ORDER BY o.first_position {order}, o.id {order} LIMIT %(limit)s
) o ON true
WHERE p.name = {register}
ORDER BY o.first_position {order}, o.id {order};
