-- The control schema: which books exist and which API keys open them, and what protects a log.
-- Runs once per database, as a role that may create roles and schemas.
DO $$
DECLARE
  wanted text;
  -- Since 16 whoever makes a role may administer it, but not yet act as it.
  acting text := CASE WHEN current_setting('server_version_num')::integer >= 160000
                      THEN 'SET' ELSE 'MEMBER' END;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['tokenledger_owner', 'tokenledger_app', 'tokenledger_auditor'] LOOP
    BEGIN
      EXECUTE format('CREATE ROLE %I', wanted);
      IF wanted = 'tokenledger_app' THEN
        ALTER ROLE tokenledger_app LOGIN;
      END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;  -- roles belong to the whole server: another database has made it already
    END;
    -- An admin who is no superuser hands objects to the owner and may serve as the app.
    IF wanted <> 'tokenledger_auditor' AND NOT pg_has_role(current_user, wanted, acting) THEN
      EXECUTE format('GRANT %I TO %I', wanted, current_user);
    END IF;
  END LOOP;
END $$;

CREATE TABLE tokenledger.books (
  name           text PRIMARY KEY CHECK (name ~ '^[A-Za-z0-9_-]{1,40}$'),
  schema         text NOT NULL UNIQUE,
  currency       text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  time_zone      text NOT NULL,
  created_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE tokenledger.api_keys (
  key_hash   bytea PRIMARY KEY CHECK (length(key_hash) = 32),  -- SHA-256; the key is shown once
  key_id     text NOT NULL UNIQUE,       -- what people call it in lists and logs
  book       text NOT NULL REFERENCES tokenledger.books (name),
  role       text NOT NULL,
  actor      text NOT NULL,              -- who acts with it
  client     text NOT NULL,              -- scope of idempotency keys; survives key rotation
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  revoked_at timestamptz
);

CREATE FUNCTION tokenledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on %.% is refused: the log is append-only',
    TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

-- Refuses every change to a table, whoever asks: ALWAYS triggers fire even under
-- session_replication_role = replica.
CREATE PROCEDURE tokenledger.protect(relation regclass)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %s '
                 'FOR EACH STATEMENT EXECUTE FUNCTION tokenledger.refuse_change()', relation);
  EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER append_only', relation);
END $$;

-- Makes partitions of a book's log until two stand empty ahead of the one being filled; answers
-- how many it made. The service may call it and so gets partitions it does not own. Its search
-- path holds nothing that the service could create objects in, to shadow what is called here.
--
-- CREATE … then ATTACH, because CREATE … PARTITION OF waits behind every open reader and blocks
-- every insert behind it. Statement triggers are not inherited, so each partition gets its own.
CREATE FUNCTION tokenledger.add_partitions(book_schema text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  rows_each bigint;
  head_at   bigint;
  made_to   bigint;
  part      text;
  whole     text;
  made      integer := 0;
BEGIN
  IF NOT EXISTS (SELECT FROM tokenledger.books WHERE schema = book_schema) THEN
    RAISE EXCEPTION 'no book has the schema %', book_schema USING ERRCODE = 'invalid_schema_name';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('tokenledger.partitions.' || book_schema, 0));
  EXECUTE format('SELECT partition_rows, position FROM %I.head', book_schema)
    INTO STRICT rows_each, head_at;
  EXECUTE format('SELECT coalesce(max(last_position), 0) FROM %I.partitions', book_schema)
    INTO STRICT made_to;
  WHILE made_to < (head_at / rows_each + 3) * rows_each LOOP
    part := 'events_' || to_char(made_to / rows_each, 'FM000000');
    whole := format('%I.%I', book_schema, part);
    EXECUTE format('CREATE TABLE %s (LIKE %I.events INCLUDING ALL)', whole, book_schema);
    CALL tokenledger.protect(whole::regclass);
    EXECUTE format('GRANT SELECT ON %s TO tokenledger_app, tokenledger_auditor', whole);
    EXECUTE format('ALTER TABLE %I.events ATTACH PARTITION %s FOR VALUES FROM (%s) TO (%s)',
                   book_schema, whole, made_to + 1, made_to + rows_each + 1);
    EXECUTE format('INSERT INTO %I.partitions VALUES ($1, $2, $3)', book_schema)
      USING made_to + 1, made_to + rows_each, part;
    made_to := made_to + rows_each;
    made := made + 1;
  END LOOP;
  RETURN made;
END $$;

ALTER SCHEMA tokenledger OWNER TO tokenledger_owner;
ALTER TABLE tokenledger.migrations OWNER TO tokenledger_owner;
ALTER TABLE tokenledger.books OWNER TO tokenledger_owner;
ALTER TABLE tokenledger.api_keys OWNER TO tokenledger_owner;
ALTER FUNCTION tokenledger.refuse_change() OWNER TO tokenledger_owner;
ALTER PROCEDURE tokenledger.protect(regclass) OWNER TO tokenledger_owner;
ALTER FUNCTION tokenledger.add_partitions(text) OWNER TO tokenledger_owner;

GRANT USAGE ON SCHEMA tokenledger TO tokenledger_app, tokenledger_auditor;
GRANT SELECT ON tokenledger.books, tokenledger.migrations TO tokenledger_app, tokenledger_auditor;
GRANT SELECT ON tokenledger.api_keys TO tokenledger_app;
REVOKE ALL ON PROCEDURE tokenledger.protect(regclass) FROM PUBLIC;
REVOKE ALL ON FUNCTION tokenledger.add_partitions(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tokenledger.add_partitions(text) TO tokenledger_app;
