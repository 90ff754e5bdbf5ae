-- Dropped messages stay as a record of what was given up, and are not applied when a consumer reads
-- them again. What only awaits something that has not arrived holds up nothing of its key.
ALTER TABLE parked_messages ADD COLUMN dropped boolean NOT NULL DEFAULT false;
ALTER TABLE parked_messages ADD COLUMN awaiting boolean NOT NULL DEFAULT false;

-- The last revision of a subject that a fact told, so that a late older one is known to be late.
CREATE TABLE fact_revisions (
  consumer text NOT NULL,
  subject  text NOT NULL,
  revision bigint NOT NULL,
  PRIMARY KEY (consumer, subject)
) WITH (fillfactor = 50);

GRANT SELECT, INSERT, UPDATE ON fact_revisions TO tokenledger_app;
GRANT SELECT ON fact_revisions TO tokenledger_auditor;
