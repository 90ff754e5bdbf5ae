-- Parked notices are looked up by the tag that they await. How many wait stands in the head, which
-- every batch reads anyway; a trigger counts, so that it is right whichever release writes.
CREATE INDEX inbox_awaits ON inbox (awaits, received_at) WHERE state = 'parked';

ALTER TABLE head ADD COLUMN parked bigint NOT NULL DEFAULT 0;
UPDATE head SET parked = (SELECT count(*) FROM inbox WHERE state = 'parked');

CREATE FUNCTION count_parked() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
DECLARE
  more bigint := 0;
BEGIN
  IF TG_OP <> 'DELETE' THEN
    more := more + (SELECT count(*) FROM later WHERE state = 'parked');
  END IF;
  IF TG_OP <> 'INSERT' THEN
    more := more - (SELECT count(*) FROM earlier WHERE state = 'parked');
  END IF;
  IF more <> 0 THEN
    UPDATE head SET parked = parked + more;
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION count_parked() FROM PUBLIC;

CREATE TRIGGER inbox_kept AFTER INSERT ON inbox
  REFERENCING NEW TABLE AS later FOR EACH STATEMENT EXECUTE FUNCTION count_parked();
CREATE TRIGGER inbox_concluded AFTER UPDATE ON inbox
  REFERENCING OLD TABLE AS earlier NEW TABLE AS later
  FOR EACH STATEMENT EXECUTE FUNCTION count_parked();
CREATE TRIGGER inbox_deleted AFTER DELETE ON inbox
  REFERENCING OLD TABLE AS earlier FOR EACH STATEMENT EXECUTE FUNCTION count_parked();
