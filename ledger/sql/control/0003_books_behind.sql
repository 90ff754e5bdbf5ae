-- One round trip that tells a projector which of a thousand books have news. The service calls it
-- with its own rights.
CREATE FUNCTION tokenledger.books_behind(schemas text[], models text[]) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  each   text;
  behind boolean;
BEGIN
  FOREACH each IN ARRAY schemas LOOP
    EXECUTE format('SELECT count(p.name) < $2 OR min(p.position) < max(h.position) '
                   'FROM %1$I.head h LEFT JOIN %1$I.projections p ON p.name = ANY ($1)', each)
      INTO behind USING models, cardinality(models);
    IF behind THEN
      RETURN NEXT each;
    END IF;
  END LOOP;
END $$;

ALTER FUNCTION tokenledger.books_behind(text[], text[]) OWNER TO tokenledger_owner;
REVOKE ALL ON FUNCTION tokenledger.books_behind(text[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tokenledger.books_behind(text[], text[]) TO tokenledger_app;
