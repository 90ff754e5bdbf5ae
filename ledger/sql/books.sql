-- name: register
-- Enters a book; answers nothing when the name is taken.
INSERT INTO tokenledger.books (name, schema, currency, time_zone)
VALUES (%(name)s, %(schema)s, %(currency)s, %(time_zone)s)
ON CONFLICT DO NOTHING RETURNING name

-- name: create_schema
-- The book's schema: the log's owner owns it. Its read models get theirs by a migration.
DO $$
BEGIN
  EXECUTE format('CREATE SCHEMA %1$I AUTHORIZATION tokenledger_owner',
                 current_setting('tokenledger.new_schema'));
  EXECUTE format('GRANT USAGE ON SCHEMA %1$I TO tokenledger_app',
                 current_setting('tokenledger.new_schema'));
  EXECUTE format('GRANT USAGE ON SCHEMA %1$I TO tokenledger_auditor',
                 current_setting('tokenledger.new_schema'));
END $$

-- name: name_schema
-- Tells create_schema, which takes no parameters, what to create.
SELECT set_config('tokenledger.new_schema', %s, true)

-- name: open_head
-- The one row of the sequencer, at position 0.
INSERT INTO head (partition_rows) VALUES (%s)

-- name: open_partitions
-- The log's first partitions.
SELECT add_partitions()

-- name: get
-- One book by name.
SELECT name, schema, currency, time_zone FROM tokenledger.books WHERE name = %s

-- name: list
-- Every book.
SELECT name, schema, currency, time_zone FROM tokenledger.books ORDER BY name
