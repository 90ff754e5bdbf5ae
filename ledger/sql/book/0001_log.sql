-- One book's log and what stands directly beside it. Runs as tokenledger_owner, with search_path
-- set to the book's schema.

-- The turnstile: whoever locks this row may append. `commits` also counts commits that wrote
-- receipts only, so a writer can tell that somebody else passed without reading anything more.
CREATE TABLE head (
  one            boolean PRIMARY KEY DEFAULT true CHECK (one),
  position       bigint NOT NULL DEFAULT 0,
  recorded_at    timestamptz NOT NULL DEFAULT '1970-01-01T00:00:00Z',
  commits        bigint NOT NULL DEFAULT 0,
  partition_rows bigint NOT NULL CHECK (partition_rows > 0)
) WITH (fillfactor = 20);

-- The log. `data` is the whole entry as canonical JSON, written once; everything else in the
-- row repeats or hashes what is in it. Only the primary key is indexed: the log is only a log.
CREATE TABLE events (
  position    bigint NOT NULL,
  event_id    uuid NOT NULL,
  type        text NOT NULL,
  tags        text[] NOT NULL,
  occurred_at timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL,
  data        bytea NOT NULL CHECK (length(data) <= 65535),
  leaf_hash   bytea NOT NULL CHECK (length(leaf_hash) = 32),
  PRIMARY KEY (position)
) PARTITION BY RANGE (position);
ALTER TABLE events ALTER COLUMN data SET STORAGE EXTERNAL;

-- Which events touch an entity. A plain B-tree, deliberately not partitioned by position.
CREATE TABLE event_tags (
  tag      text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  PRIMARY KEY (tag, position)
);

-- The durable answer to one request. `body` is kept for rejections and for answers without
-- events; an accepted answer is rendered again from the log, byte for byte.
CREATE TABLE receipts (
  key         bytea PRIMARY KEY CHECK (length(key) = 16),
  fingerprint bytea NOT NULL CHECK (length(fingerprint) = 16),
  position    bigint NOT NULL,           -- of the last event, or the head when there was none
  events      smallint NOT NULL,
  status      smallint NOT NULL,         -- the HTTP status of the first answer
  code        text,                      -- of a rejection or a suspended notice
  body        bytea
);
ALTER TABLE receipts ALTER COLUMN body SET STORAGE EXTERNAL;

-- Folded entity states: a cache that may be deleted at any time, never the truth.
CREATE TABLE snapshots (
  entity       text COLLATE "C" PRIMARY KEY,
  position     bigint NOT NULL,
  fold_version integer NOT NULL,
  state        bytea NOT NULL
) WITH (fillfactor = 70);

-- Checkpoints of the read models: how far each one has folded the log, and why it stopped.
CREATE TABLE projections (
  name       text PRIMARY KEY,
  version    integer NOT NULL,
  position   bigint NOT NULL DEFAULT 0,
  failed_at  bigint,
  failure    text,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);

CREATE VIEW events_json AS
  SELECT position, event_id, type, tags, occurred_at, recorded_at,
         convert_from(data, 'UTF8')::jsonb AS entry, leaf_hash
  FROM events;

-- Which ranges of the log have a table of their own.
CREATE TABLE partitions (
  first_position bigint PRIMARY KEY,
  last_position  bigint NOT NULL,
  name           text NOT NULL
);

-- Makes the partitions that are missing ahead of the head; answers how many it made. FROM CURRENT
-- pins the book's schema, so it does not matter who calls it from where.
CREATE FUNCTION add_partitions() RETURNS integer LANGUAGE sql SET search_path FROM CURRENT
AS $$ SELECT tokenledger.add_partitions(current_schema()) $$;

CALL tokenledger.protect('events');
CALL tokenledger.protect('event_tags');
CALL tokenledger.protect('receipts');

GRANT SELECT, INSERT ON events, event_tags, receipts TO tokenledger_app;
GRANT SELECT, UPDATE (position, recorded_at, commits) ON head TO tokenledger_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON snapshots, projections TO tokenledger_app;
GRANT SELECT ON partitions, events_json TO tokenledger_app;
GRANT SELECT ON events, event_tags, receipts, head, snapshots, projections, partitions, events_json
  TO tokenledger_auditor;
REVOKE ALL ON FUNCTION add_partitions() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION add_partitions() TO tokenledger_app;
