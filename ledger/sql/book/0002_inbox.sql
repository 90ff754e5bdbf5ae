-- Notices that could not simply be applied: parked until what they speak of arrives, or suspended
-- because they contradict the policy or the state. A notice is kept here, in the transaction that
-- answers it, before anybody tells its processor that we have it.
CREATE TABLE inbox (
  processor      text NOT NULL,
  processor_ref  text NOT NULL,
  command        text NOT NULL,
  fields         bytea NOT NULL,         -- what the notice said, as canonical JSON
  principal      text NOT NULL,
  client         text NOT NULL,
  correlation_id text NOT NULL,
  key            bytea NOT NULL,
  fingerprint    bytea NOT NULL,
  state          text NOT NULL CHECK (state IN ('parked', 'suspended', 'applied')),
  awaits         text,                   -- the tag that releases a parked one
  received_at    timestamptz NOT NULL,
  settled_at     timestamptz,
  position       bigint,                 -- of the last event it led to
  PRIMARY KEY (processor, processor_ref)
);
CREATE INDEX inbox_parked ON inbox (received_at) WHERE state = 'parked';

GRANT SELECT, INSERT, UPDATE (state, awaits, settled_at, position) ON inbox TO tokenledger_app;
GRANT SELECT ON inbox TO tokenledger_auditor;
