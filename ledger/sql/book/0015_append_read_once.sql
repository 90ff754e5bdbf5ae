-- An append is read once. What is checked and the tags that are indexed come out of one look at the
-- entries; before, each entry was kept whole to be compared with the one before it, and the tags
-- were a second look. That times rise strictly is seen by sorting them, which drops equal ones;
-- which entry is wrong is looked for only once one is.
CREATE OR REPLACE FUNCTION move_head(until bigint) RETURNS bigint LANGUAGE plpgsql
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
  WITH appended AS MATERIALIZED (
    SELECT position, recorded_at, tags, leaf_hash <> sha256('\x00'::bytea || data) AS altered
    FROM events WHERE position > was.position AND position <= until ORDER BY position
  ), indexed AS (
    INSERT INTO event_tags (tag, position)
    SELECT DISTINCT tag COLLATE "C", position FROM appended, unnest(tags) AS tag
    WHERE NOT was.copied
    ORDER BY 1, 2
  )
  SELECT count(*) AS entries, max(position) AS last, max(recorded_at) AS recorded_at,
         min(position) FILTER (WHERE altered) AS altered,
         min(recorded_at) > was.recorded_at AND array_agg(recorded_at ORDER BY position)
           = array_agg(DISTINCT recorded_at) AS in_order
  INTO STRICT more
  FROM appended;
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
  IF NOT more.in_order THEN
    RAISE EXCEPTION 'position % in %.events was not recorded after the one before it', (
      SELECT min(position) FROM (
        SELECT position, recorded_at,
               lag(recorded_at, 1, was.recorded_at) OVER (ORDER BY position) AS recorded_before
        FROM events WHERE position > was.position AND position <= until
      ) appended WHERE recorded_at <= recorded_before
    ), current_schema() USING ERRCODE = 'check_violation';
  END IF;
  UPDATE head SET position = more.last, recorded_at = more.recorded_at;
  RETURN more.last;
END $$;
