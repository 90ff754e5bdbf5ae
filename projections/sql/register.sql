-- name: tables
-- The rows of a register: what its columns say of each thing, the state that they follow from, as
-- the domain encodes it, and where in the log its life began and was last changed. Labels are
-- KEY=VALUE; they stand once more beside the rows, in the order of the log, to be walked along.
CREATE TABLE {table} ({columns}) WITH (fillfactor = 70);
CREATE TABLE {labels} (
  label          text COLLATE "C" NOT NULL,
  first_position bigint NOT NULL,
  id             text COLLATE "C" NOT NULL,
  PRIMARY KEY (label, first_position, id)
);
GRANT SELECT ON {table}, {labels} TO tokenledger_auditor;

-- name: index
-- By which rows are asked for: those of one value and one status stand in the order of the log.
CREATE INDEX ON {table} ({column}, status, first_position) WHERE {column} IS NOT NULL;

-- name: indexes
-- What every register is asked for.
CREATE INDEX ON {table} (status, first_position);

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

-- name: put_labels
-- The labels of rows that are new.
INSERT INTO {labels} (label, first_position, id)
SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[]);

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

-- name: list_of_label
-- The same of rows that carry a label, along the index of labels.
SELECT p.position, {names}
FROM projections p
LEFT JOIN LATERAL (
  SELECT o.*
  FROM {labels} l JOIN {table} o ON o.id = l.id
  WHERE l.label = %(label)s COLLATE "C"
    AND l.first_position BETWEEN %(first)s::bigint AND %(last)s::bigint
    AND o.status = ANY (%(statuses)s::text[]) AND {wanted}
  ORDER BY l.first_position {order}, l.id {order} LIMIT %(limit)s
) o ON true
WHERE p.name = {register}
ORDER BY o.first_position {order}, o.id {order};
