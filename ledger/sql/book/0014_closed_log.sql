-- Closes the log's schema to the service, which made its read models there and wrote the head
-- itself. Read models stand in a schema of their own; an append is checked here, whoever sends it.

-- What runs as the owner must find nothing that somebody else put before it.
DO $$
BEGIN
  EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM tokenledger_app', current_schema());
END $$;

-- The schema of the read models: the service makes tables in it. Only who migrates makes schemas.
SET LOCAL ROLE NONE;
DO $$
DECLARE
  models text := 'read_' || substr(current_schema(), 6);
BEGIN
  EXECUTE format('CREATE SCHEMA %I AUTHORIZATION tokenledger_owner', models);
  EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO tokenledger_app', models);
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO tokenledger_auditor', models);
END $$;

-- Whatever the service had made in the log's schema moves there; indexes follow their tables.
SET LOCAL ROLE tokenledger_app;
DO $$
DECLARE
  models text := 'read_' || substr(current_schema(), 6);
  moved  text;
BEGIN
  FOR moved IN
    SELECT format('ALTER TABLE %s SET SCHEMA %I', oid::regclass, models) FROM pg_class
    WHERE relnamespace = quote_ident(current_schema())::regnamespace
      AND relkind IN ('r', 'p', 'v', 'm') AND relowner = 'tokenledger_app'::regrole
    UNION ALL
    SELECT format('ALTER ROUTINE %s SET SCHEMA %I', oid::regprocedure, models) FROM pg_proc
    WHERE pronamespace = quote_ident(current_schema())::regnamespace
      AND proowner = 'tokenledger_app'::regrole
  LOOP
    EXECUTE moved;
  END LOOP;
END $$;

-- Their checkpoints, too.
SET LOCAL ROLE tokenledger_owner;
DO $$
BEGIN
  EXECUTE format('ALTER TABLE projections SET SCHEMA %I', 'read_' || substr(current_schema(), 6));
END $$;

-- A copy is filled from a topic, in whatever order it comes, by who indexes the tags as well: its
-- read models look up entries before the head reaches them. The head follows along what has no gap.
ALTER TABLE head ADD COLUMN copied boolean NOT NULL DEFAULT false;

-- Locking the head wants a column that may be updated. This one can only stay true.
REVOKE UPDATE (position, recorded_at, commits, volume) ON head FROM tokenledger_app;
GRANT UPDATE (one) ON head TO tokenledger_app;
REVOKE INSERT ON event_tags FROM tokenledger_app;

-- Moves the head over the entries up to a position if they follow it without a gap, each recorded
-- after the one before it and with the leaf hash of its bytes; indexes their tags. Its settings
-- make every session walk the primary key by a plan that is made once, whatever its statistics say.
CREATE FUNCTION move_head(until bigint) RETURNS bigint LANGUAGE plpgsql
SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashagg = off
SET max_parallel_workers_per_gather = 0
SET jit = off
AS $$
DECLARE
  was  record;
  more record;
BEGIN
  SELECT position, recorded_at, copied INTO STRICT was FROM head FOR UPDATE;
  SELECT count(*) AS entries, max(position) AS last, max(recorded_at) AS recorded_at,
         min(position) FILTER (WHERE leaf_hash <> sha256('\x00'::bytea || data)) AS altered,
         min(position) FILTER (WHERE recorded_at <= recorded_before) AS behind
  INTO STRICT more
  FROM (
    SELECT position, recorded_at, data, leaf_hash,
           lag(recorded_at, 1, was.recorded_at) OVER (ORDER BY position) AS recorded_before
    FROM events WHERE position > was.position AND position <= until
  ) appended;
  IF more.entries = 0 THEN
    RETURN was.position;
  END IF;
  IF more.last - was.position <> more.entries THEN
    RAISE EXCEPTION 'what is appended to %.events does not follow position %: % entries up to %',
      current_schema(), was.position, more.entries, more.last USING ERRCODE = 'check_violation';
  END IF;
  IF more.altered IS NOT NULL THEN
    RAISE EXCEPTION 'the leaf hash of position % in %.events is not that of its bytes',
      more.altered, current_schema() USING ERRCODE = 'check_violation';
  END IF;
  IF more.behind IS NOT NULL THEN
    RAISE EXCEPTION 'position % in %.events was not recorded after the one before it',
      more.behind, current_schema() USING ERRCODE = 'check_violation';
  END IF;
  IF NOT was.copied THEN
    INSERT INTO event_tags (tag, position)
    SELECT DISTINCT tag COLLATE "C", position FROM events, unnest(tags) AS tag
    WHERE position > was.position AND position <= until
    ORDER BY 1, 2;
  END IF;
  UPDATE head SET position = more.last, recorded_at = more.recorded_at;
  RETURN more.last;
END $$;

-- After each statement that appends.
CREATE FUNCTION append() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
BEGIN
  IF (SELECT NOT copied FROM head) THEN
    PERFORM move_head(9223372036854775807);
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER append AFTER INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION append();
ALTER TABLE events ENABLE ALWAYS TRIGGER append;

-- Moves a copy's head along at most that many entries without a gap; answers where it is then.
CREATE FUNCTION follow_copy(entries_max integer) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
DECLARE
  was   bigint;
  until bigint;
BEGIN
  SELECT position INTO was FROM head WHERE copied FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION '% is no copy', current_schema() USING ERRCODE = 'insufficient_privilege';
  END IF;
  SELECT max(position) INTO until FROM (
    SELECT position, position - row_number() OVER (ORDER BY position) AS missing
    FROM (SELECT position FROM events
          WHERE position > was ORDER BY position LIMIT entries_max) next
  ) numbered
  WHERE missing = was;
  RETURN move_head(coalesce(until, was));
END $$;

-- Counts a commit, also one that wrote receipts only, so that others know that somebody passed, and
-- what it has moved, which only rises.
CREATE FUNCTION count_commit(moved bigint) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
DECLARE
  counted bigint;
BEGIN
  IF moved < 0 THEN
    RAISE EXCEPTION 'a volume only rises' USING ERRCODE = 'check_violation';
  END IF;
  UPDATE head SET commits = commits + 1, volume = volume + moved RETURNING commits INTO counted;
  RETURN counted;
END $$;

REVOKE ALL ON FUNCTION move_head(bigint), append(), follow_copy(integer), count_commit(bigint)
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION follow_copy(integer), count_commit(bigint) TO tokenledger_app;
