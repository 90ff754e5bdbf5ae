-- Checkpoints stand with the read models, in the schema read_… beside a book's book_….
CREATE OR REPLACE FUNCTION tokenledger.books_behind(schemas text[], models text[])
RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  each   text;
  behind boolean;
BEGIN
  FOREACH each IN ARRAY schemas LOOP
    EXECUTE format('SELECT count(p.name) < $2 OR min(p.position) < max(h.position) '
                   'FROM %1$I.head h LEFT JOIN %2$I.projections p ON p.name = ANY ($1)',
                   each, 'read_' || substr(each, 6))
      INTO behind USING models, cardinality(models);
    IF behind THEN
      RETURN NEXT each;
    END IF;
  END LOOP;
END $$;
