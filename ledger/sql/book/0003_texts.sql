-- Reasons and evidence in people's own words. The log holds only a salted hash of each; text and
-- salt stand here so that they can be erased without changing an entry.
CREATE TABLE texts (
  event_id uuid NOT NULL,                -- of the first event of the command that brought it
  field    text NOT NULL,
  salt     text NOT NULL,
  text     text NOT NULL,
  subjects text[] NOT NULL,              -- tags of its events: erasing one of them erases the text
  PRIMARY KEY (event_id, field)
);
CREATE INDEX texts_subjects ON texts USING gin (subjects);

GRANT SELECT, INSERT, DELETE ON texts TO tokenledger_app;
GRANT SELECT ON texts TO tokenledger_auditor;
