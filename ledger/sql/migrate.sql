-- name: lock
-- One migration at a time in a database; held until the connection closes or unlocks.
SELECT pg_advisory_lock(hashtextextended('tokenledger.migrations', 0))

-- name: unlock
-- Lets the next one migrate.
SELECT pg_advisory_unlock(hashtextextended('tokenledger.migrations', 0))

-- name: has_control
-- Whether anything was ever migrated here.
SELECT to_regclass('tokenledger.migrations') IS NOT NULL

-- name: create_control
-- What the runner itself needs before the first file.
CREATE SCHEMA IF NOT EXISTS tokenledger;
CREATE TABLE IF NOT EXISTS tokenledger.migrations (
  scope      text NOT NULL,              -- control, or book:<name>
  number     integer NOT NULL,
  name       text NOT NULL,
  checksum   text NOT NULL,              -- SHA-256 of the file, hexadecimal
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (scope, number)
)

-- name: applied
-- What was applied to a scope, in order.
SELECT number, name, checksum FROM tokenledger.migrations WHERE scope = %s ORDER BY number

-- name: record
-- Remembers an applied file, in the transaction that applied it.
INSERT INTO tokenledger.migrations (scope, number, name, checksum) VALUES (%s, %s, %s, %s)

-- name: books
-- Every book with its schema.
SELECT name, schema FROM tokenledger.books ORDER BY name

-- name: enter_book
-- For the rest of the transaction: act as the owner of the log, in the book's schema.
SELECT set_config('role', 'tokenledger_owner', true),
       set_config('search_path', quote_ident(%s) || ', pg_temp', true)

-- name: leave_book
-- Back to what the connection was.
SELECT set_config('role', 'none', true), set_config('search_path', '', true)
