-- API keys belong to a role of their own. The service asks whether a key or a signature is good and
-- cannot read what would let it be anybody. Whoever writes keys has no right in any book. So nobody
-- who writes the snapshots, on which balances are decided, can read keys, and the other way round.
DO $$
DECLARE
  acting text := CASE WHEN current_setting('server_version_num')::integer >= 160000
                      THEN 'SET' ELSE 'MEMBER' END;
BEGIN
  BEGIN
    CREATE ROLE tokenledger_keys;
  EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;  -- another database of this server has made it already
  END;
  IF NOT pg_has_role(current_user, 'tokenledger_keys', acting) THEN
    EXECUTE format('GRANT tokenledger_keys TO %I', current_user);
  END IF;
END $$;

REVOKE ALL ON tokenledger.api_keys FROM tokenledger_app;
GRANT SELECT (key_id, book, role, actor, client, kind, created_at, revoked_at)
  ON tokenledger.api_keys TO tokenledger_app;

-- Whose key this is, by its id and its SHA-256; nothing unless it is good.
CREATE FUNCTION tokenledger.key_holder(id text, digest bytea)
RETURNS TABLE (book text, role text, actor text, client text, kind text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY SELECT k.book, k.role, k.actor, k.client, k.kind FROM tokenledger.api_keys k
    WHERE k.key_id = id AND k.key_hash = digest AND k.revoked_at IS NULL;
END $$;

-- For each of some messages, in their order, whether its signature is right: an HMAC-SHA256 under
-- the SHA-256 of the key of this id. Null if there is no such good key. Messages come as one string
-- with the end of each. Signatures are compared by their hashes: how long that takes tells nothing.
CREATE FUNCTION tokenledger.signed(ids text[], messages bytea, ends integer[], signatures bytea[])
RETURNS SETOF boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  given     record;
  known     text;
  secret    bytea;
  inner_pad bytea;
  outer_pad bytea;
BEGIN
  FOR given IN
    SELECT s.id, s.signature, substr(messages, s.start + 1, s.stop - s.start) AS message
    FROM (SELECT id, signature, stop, nth, lag(stop, 1, 0) OVER (ORDER BY nth) AS start
          FROM unnest(ids, ends, signatures) WITH ORDINALITY AS u (id, stop, signature, nth)) s
    ORDER BY s.nth
  LOOP
    IF known IS DISTINCT FROM given.id THEN
      known := given.id;
      SELECT key_hash INTO secret FROM tokenledger.api_keys
      WHERE key_id = given.id AND revoked_at IS NULL;
      inner_pad := decode(repeat('36', 64), 'hex');
      outer_pad := decode(repeat('5c', 64), 'hex');
      FOR i IN 0 .. coalesce(length(secret), 0) - 1 LOOP
        inner_pad := set_byte(inner_pad, i, get_byte(secret, i) # 54);
        outer_pad := set_byte(outer_pad, i, get_byte(secret, i) # 92);
      END LOOP;
    END IF;
    IF secret IS NULL THEN
      RETURN NEXT NULL::boolean;
    ELSE
      RETURN NEXT sha256(sha256(outer_pad || sha256(inner_pad || given.message)))
                  = sha256(given.signature);
    END IF;
  END LOOP;
END $$;

-- An owner needs CREATE where its things are, at the moment in which it gets them.
GRANT USAGE, CREATE ON SCHEMA tokenledger TO tokenledger_keys;
ALTER TABLE tokenledger.api_keys OWNER TO tokenledger_keys;
ALTER FUNCTION tokenledger.key_holder(text, bytea) OWNER TO tokenledger_keys;
ALTER FUNCTION tokenledger.signed(text[], bytea, integer[], bytea[]) OWNER TO tokenledger_keys;
REVOKE CREATE ON SCHEMA tokenledger FROM tokenledger_keys;
REVOKE ALL ON FUNCTION tokenledger.key_holder(text, bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION tokenledger.signed(text[], bytea, integer[], bytea[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tokenledger.key_holder(text, bytea) TO tokenledger_app;
GRANT EXECUTE ON FUNCTION tokenledger.signed(text[], bytea, integer[], bytea[]) TO tokenledger_app;
