-- name: tables
-- Payouts, as the domain's fold and their events have them; labels are those of the request, as
-- JSON.
CREATE TABLE {payouts} (
  payout         text COLLATE "C" PRIMARY KEY,
  status         text COLLATE "C" NOT NULL,
  creator        text COLLATE "C" NOT NULL,
  requester      text COLLATE "C" NOT NULL,
  sender         text COLLATE "C",
  gross          bigint NOT NULL,
  fee            bigint NOT NULL,
  withheld       bigint NOT NULL,
  net            bigint NOT NULL,
  country        text,
  instant        boolean,
  approver       text,
  processor      text COLLATE "C",
  processor_ref  text COLLATE "C",
  reason         text,
  paid_at        timestamptz,
  labels         text,
  created_at     timestamptz NOT NULL,
  updated_at     timestamptz NOT NULL,
  first_position bigint NOT NULL,
  last_position  bigint NOT NULL
) WITH (fillfactor = 70);
GRANT SELECT ON {payouts} TO tokenledger_auditor;

-- name: indexes
-- How payouts are listed.
CREATE INDEX ON {payouts} (status, first_position);
CREATE INDEX ON {payouts} (creator, status, first_position);
CREATE INDEX ON {payouts} (processor_ref, status, first_position);

-- name: load
-- The payouts that a page changes, as they are.
SELECT * FROM {payouts} WHERE payout = ANY (%s::text[]);

-- name: put
-- A payout that a page changed, as it is now.
INSERT INTO {payouts} VALUES (
  %(payout)s, %(status)s, %(creator)s, %(requester)s, %(sender)s, %(gross)s, %(fee)s,
  %(withheld)s, %(net)s, %(country)s, %(instant)s, %(approver)s, %(processor)s, %(processor_ref)s,
  %(reason)s, %(paid_at)s, %(labels)s, %(created_at)s, %(updated_at)s, %(first_position)s,
  %(last_position)s)
ON CONFLICT (payout) DO UPDATE SET
  status = excluded.status, approver = excluded.approver, processor = excluded.processor,
  processor_ref = excluded.processor_ref, reason = excluded.reason, paid_at = excluded.paid_at,
  updated_at = excluded.updated_at, last_position = excluded.last_position;

-- name: one
-- One payout with the position it stands for; nulls where there is none.
SELECT p.position, o.*
FROM projections p LEFT JOIN {payouts} o ON o.payout = %s
WHERE p.name = 'payouts';
