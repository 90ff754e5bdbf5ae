-- name: enter
-- Makes a book's schema the first on the search path, for the life of the session. Answers the
-- server's timeline, which every promotion of a standby raises; 0 for a standby.
SELECT CASE WHEN pg_is_in_recovery() THEN 0
            ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END,
       set_config('search_path', %s, false);
