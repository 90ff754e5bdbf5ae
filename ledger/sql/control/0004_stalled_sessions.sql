-- Ends sessions that hold an advisory lock and have waited for their client for that many seconds:
-- its process is frozen, or cut off. Whoever lives asks its session something far more often, so
-- the lock is a lease that every statement renews. Answers the sessions' process ids. A role ends
-- its own sessions only.
CREATE FUNCTION tokenledger.end_stalled(lock text, seconds double precision) RETURNS SETOF integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  stalled integer;
BEGIN
  FOR stalled IN
    SELECT a.pid
    FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended(lock, 0)
      AND a.wait_event_type = 'Client'
      AND greatest(a.query_start, a.state_change)
          < clock_timestamp() - make_interval(secs => seconds)
  LOOP
    IF pg_terminate_backend(stalled) THEN
      RETURN NEXT stalled;
    END IF;
  END LOOP;
END $$;

ALTER FUNCTION tokenledger.end_stalled(text, double precision) OWNER TO tokenledger_owner;
REVOKE ALL ON FUNCTION tokenledger.end_stalled(text, double precision) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tokenledger.end_stalled(text, double precision) TO tokenledger_app;
