-- What stands between the log and message brokers. PostgreSQL stays the only authority: how far the
-- log was published, and how far incoming topics were taken, is known here and nowhere else.

-- The relay's place: everything up to `position` was acknowledged by the broker that has the topic
-- `topic_id`. Whoever holds the lease may go on; `epoch` rises with every other holder, so one that
-- was frozen finds that it is no longer its turn.
CREATE TABLE relay (
  one          boolean PRIMARY KEY DEFAULT true CHECK (one),
  position     bigint NOT NULL DEFAULT 0 CHECK (position >= 0),
  topic_id     uuid,
  epoch        bigint NOT NULL DEFAULT 0,
  holder       text,
  lease_until  timestamptz,
  published_at timestamptz
) WITH (fillfactor = 20);
INSERT INTO relay DEFAULT VALUES;

-- How far a consumer has taken a partition. The effect of every message before `next_offset` is in
-- the log; every one before `settled_offset` was answered, put aside or refused for good as well.
-- `epoch` rises with every member that the partition is given to; `generation` is its group's.
CREATE TABLE consumed (
  consumer       text NOT NULL,
  topic          text NOT NULL,
  partition      integer NOT NULL,
  topic_id       uuid NOT NULL,
  next_offset    bigint NOT NULL DEFAULT 0,
  settled_offset bigint NOT NULL DEFAULT 0,
  epoch          bigint NOT NULL DEFAULT 1,
  generation     integer NOT NULL,
  member         text NOT NULL,
  updated_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (consumer, topic, partition)
) WITH (fillfactor = 50);

-- Messages that cannot be applied and must not be skipped: the one that failed and, to keep their
-- order, the later ones of its key. A released one is tried again in its turn and leaves the table.
CREATE TABLE parked_messages (
  consumer    text NOT NULL,
  topic       text NOT NULL,
  topic_id    uuid NOT NULL,
  partition   integer NOT NULL,
  at_offset   bigint NOT NULL,
  message_key bytea,
  headers     bytea NOT NULL,            -- JSON: [[name, base64], …]
  value       bytea,
  sent_at     timestamptz NOT NULL,
  reason      text NOT NULL,
  detail      text NOT NULL,
  tries       integer NOT NULL,
  released    boolean NOT NULL DEFAULT false,
  parked_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (consumer, topic, topic_id, partition, at_offset)
);

GRANT SELECT, UPDATE ON relay TO tokenledger_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON consumed, parked_messages TO tokenledger_app;
GRANT SELECT ON relay, consumed, parked_messages TO tokenledger_auditor;
