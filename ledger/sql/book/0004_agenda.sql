-- What has to be looked at again by time, read from the log's events under the tag agenda:book. It
-- only names candidates for commands that decide for themselves, and may be emptied at any time:
-- with `position` back at 0 it is read anew.
CREATE TABLE agenda (
  item    text COLLATE "C" PRIMARY KEY,  -- the tag of the entity
  due_at  timestamptz NOT NULL,
  every_s integer NOT NULL CHECK (every_s > 0),
  command text NOT NULL,
  fields  jsonb NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX agenda_due ON agenda (due_at);

-- How far the log is read.
CREATE TABLE agenda_read (
  one      boolean PRIMARY KEY DEFAULT true CHECK (one),
  position bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);
INSERT INTO agenda_read DEFAULT VALUES;

GRANT SELECT, INSERT, UPDATE, DELETE ON agenda TO tokenledger_app;
GRANT SELECT, UPDATE ON agenda_read TO tokenledger_app;
GRANT SELECT ON agenda, agenda_read TO tokenledger_auditor;
