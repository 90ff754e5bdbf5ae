-- name: create
-- States that do not fit into memory, for this session alone.
CREATE TEMPORARY TABLE IF NOT EXISTS verified_states (
  entity text COLLATE "C" PRIMARY KEY,
  state  bytea NOT NULL
);
TRUNCATE verified_states;

-- name: put_away
-- States as they are now.
INSERT INTO verified_states (entity, state)
SELECT * FROM unnest(%s::text[], %s::bytea[])
ON CONFLICT (entity) DO UPDATE SET state = excluded.state;

-- name: take_back
-- Some of them.
SELECT entity, state FROM verified_states WHERE entity = ANY (%s::text[]);
