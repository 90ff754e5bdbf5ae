-- name: tables
-- Notices whose money waits in suspense, or did, by the payment reference under which it waits.
-- `amount` is what a notice brought to suspense, `in_suspense` what of it is there; a credit of the
-- account is positive. A null currency is the book's.
CREATE TABLE {notices} (
  payment_ref    text COLLATE "C",
  processor      text COLLATE "C",
  command        text COLLATE "C",
  processor_ref  text COLLATE "C",
  status         text COLLATE "C" NOT NULL,
  code           text COLLATE "C",
  amount         bigint NOT NULL,
  in_suspense    bigint NOT NULL,
  currency       text COLLATE "C",
  fields         text NOT NULL,
  principal      text NOT NULL,
  received_at    timestamptz NOT NULL,
  settled_at     timestamptz,
  resolution     text,
  first_position bigint NOT NULL,
  position       bigint NOT NULL,
  PRIMARY KEY (payment_ref, processor, command, processor_ref)
) WITH (fillfactor = 70);
-- The domain's fold of those payments, as JSON.
CREATE TABLE {payments_in_suspense} (
  payment_ref text COLLATE "C" PRIMARY KEY,
  state       text NOT NULL
) WITH (fillfactor = 70);
GRANT SELECT ON {notices}, {payments_in_suspense} TO tokenledger_auditor;

-- name: indexes
-- How notices are listed, and how one is found by its own name.
CREATE INDEX ON {notices}
  (status, received_at, processor, processor_ref, command, payment_ref);
CREATE INDEX ON {notices} (processor, processor_ref, command);

-- name: load_payments
-- The payments that a page changes, as they are.
SELECT payment_ref, state FROM {payments_in_suspense} WHERE payment_ref = ANY (%s::text[]);

-- name: load_notices
-- The notices that wait, or did, under those payments' references.
SELECT payment_ref, processor, command, processor_ref, status, code, amount, in_suspense,
       currency, fields, principal, received_at, settled_at, resolution, first_position, position
FROM {notices} WHERE payment_ref = ANY (%s::text[]);

-- name: put_payment
-- A payment that a page changed, as it is now.
INSERT INTO {payments_in_suspense} (payment_ref, state) VALUES (%s, %s)
ON CONFLICT (payment_ref) DO UPDATE SET state = excluded.state;

-- name: put_notice
-- A notice that a page changed, as it is now.
INSERT INTO {notices} VALUES (
  %(payment_ref)s, %(processor)s, %(command)s, %(processor_ref)s, %(status)s, %(code)s,
  %(amount)s, %(in_suspense)s, %(currency)s, %(fields)s, %(principal)s, %(received_at)s,
  %(settled_at)s, %(resolution)s, %(first_position)s, %(position)s)
ON CONFLICT (payment_ref, processor, command, processor_ref) DO UPDATE SET
  status = excluded.status, code = excluded.code, amount = excluded.amount,
  in_suspense = excluded.in_suspense, currency = excluded.currency,
  settled_at = excluded.settled_at, resolution = excluded.resolution,
  position = excluded.position;

-- name: there
-- Whether the table is there yet.
SELECT to_regclass('notices') IS NOT NULL;

-- name: suspended
-- How many wait for somebody's decision, and for how many seconds the oldest has.
SELECT count(*),
       greatest(coalesce(extract(epoch FROM clock_timestamp() - min(received_at)), 0), 0)::float8
FROM {notices} WHERE status = 'SUSPENDED';
