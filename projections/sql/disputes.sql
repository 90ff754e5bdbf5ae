-- name: tables
-- Disputes as their events have them; labels are those of the first, as JSON.
CREATE TABLE {disputes} (
  dispute        text COLLATE "C" PRIMARY KEY,
  status         text COLLATE "C" NOT NULL,
  user_id        text COLLATE "C" NOT NULL,
  sale           text COLLATE "C",
  purchase       text COLLATE "C",
  amount         bigint NOT NULL,
  fee            bigint NOT NULL,
  bearer         text NOT NULL,
  processor      text COLLATE "C" NOT NULL,
  processor_ref  text COLLATE "C" NOT NULL,
  labels         text,
  created_at     timestamptz NOT NULL,
  updated_at     timestamptz NOT NULL,
  first_position bigint NOT NULL,
  last_position  bigint NOT NULL
) WITH (fillfactor = 70);
GRANT SELECT ON {disputes} TO tokenledger_auditor;

-- name: indexes
-- How disputes are listed.
CREATE INDEX ON {disputes} (status, first_position);
CREATE INDEX ON {disputes} (user_id, status, first_position);
CREATE INDEX ON {disputes} (processor_ref, status, first_position);
CREATE INDEX ON {disputes} (sale, status, first_position);
CREATE INDEX ON {disputes} (purchase, status, first_position);

-- name: load
-- The disputes that a page changes, as they are.
SELECT * FROM {disputes} WHERE dispute = ANY (%s::text[]);

-- name: put
-- A dispute that a page changed, as it is now.
INSERT INTO {disputes} VALUES (
  %(dispute)s, %(status)s, %(user_id)s, %(sale)s, %(purchase)s, %(amount)s, %(fee)s, %(bearer)s,
  %(processor)s, %(processor_ref)s, %(labels)s, %(created_at)s, %(updated_at)s,
  %(first_position)s, %(last_position)s)
ON CONFLICT (dispute) DO UPDATE SET
  status = excluded.status, fee = excluded.fee, updated_at = excluded.updated_at,
  last_position = excluded.last_position;

-- name: one
-- One dispute with the position it stands for; nulls where there is none.
SELECT p.position, o.*
FROM projections p LEFT JOIN {disputes} o ON o.dispute = %s
WHERE p.name = 'disputes';
