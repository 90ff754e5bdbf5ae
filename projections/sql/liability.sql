-- name: tables
-- Every lot of tokens there ever was; tokens - consumed are left of it, held ones included. `since`
-- is the business day on which it came in, `is_open` whether anything is left.
CREATE TABLE {lots} (
  user_id    text COLLATE "C",
  lot        text COLLATE "C",
  purchase   text NOT NULL,
  kind       text COLLATE "C" NOT NULL,
  tokens     bigint NOT NULL,
  price      bigint NOT NULL,
  consumed   bigint NOT NULL,
  expires_at timestamptz,
  held       bigint NOT NULL,
  since      date NOT NULL,
  is_open    boolean NOT NULL,
  PRIMARY KEY (user_id, lot)
) WITH (fillfactor = 70);
-- Tokens left by class and the day on which they came in, and what they have to release.
CREATE TABLE {liability_ages} (
  kind     text COLLATE "C",
  since    date,
  tokens   bigint NOT NULL,
  deferred bigint NOT NULL,
  PRIMARY KEY (kind, since)
) WITH (fillfactor = 70);
-- The same of those that end, by the day on which they do.
CREATE TABLE {liability_ends} (
  kind     text COLLATE "C",
  ends_on  date,
  tokens   bigint NOT NULL,
  deferred bigint NOT NULL,
  PRIMARY KEY (kind, ends_on)
) WITH (fillfactor = 70);
-- How tokens and what they have to release moved on a business day, as the lots say and as the
-- postings do.
CREATE TABLE {liability_days} (
  day             date PRIMARY KEY,
  paid            bigint NOT NULL,
  promo           bigint NOT NULL,
  deferred        bigint NOT NULL,
  posted_paid     bigint NOT NULL,
  posted_promo    bigint NOT NULL,
  posted_deferred bigint NOT NULL
) WITH (fillfactor = 70);
GRANT SELECT ON {lots}, {liability_ages}, {liability_ends}, {liability_days}
  TO tokenledger_auditor;

-- name: indexes
-- What is left in a wallet, and the days on which lots and postings differ.
CREATE INDEX ON {lots} (user_id) WHERE is_open;
CREATE INDEX ON {liability_days} (day)
  WHERE (paid, promo, deferred) <> (posted_paid, posted_promo, posted_deferred);

-- name: load
-- The lots that a page moves, as they are.
SELECT l.user_id, l.since - date '2000-01-01', l.lot, l.purchase, l.kind, l.tokens, l.price,
       l.consumed, l.expires_at, l.held
FROM unnest(%s::text[], %s::text[]) AS k (user_id, lot)
JOIN {lots} l ON l.user_id = k.user_id COLLATE "C" AND l.lot = k.lot COLLATE "C";

-- name: put
-- The lots that a page moved, as they are now.
INSERT INTO {lots} (
  user_id, lot, purchase, kind, tokens, price, consumed, expires_at, held, since, is_open)
SELECT m.user_id, m.lot, m.purchase, m.kind, m.tokens, m.price, m.consumed, m.expires_at, m.held,
       date '2000-01-01' + m.since, m.consumed < m.tokens
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[],
            %s::bigint[], %s::timestamptz[], %s::bigint[], %s::integer[])
  AS m (user_id, lot, purchase, kind, tokens, price, consumed, expires_at, held, since)
ON CONFLICT (user_id, lot) DO UPDATE SET
  tokens = excluded.tokens, price = excluded.price, consumed = excluded.consumed,
  expires_at = excluded.expires_at, held = excluded.held, is_open = excluded.is_open;

-- name: add_ages
-- What a page changes about the tokens that came in on a day.
INSERT INTO {liability_ages} AS a (kind, since, tokens, deferred)
SELECT m.kind, date '2000-01-01' + m.since, m.tokens, m.deferred
FROM unnest(%s::text[], %s::integer[], %s::bigint[], %s::bigint[])
  AS m (kind, since, tokens, deferred)
ON CONFLICT (kind, since) DO UPDATE SET
  tokens = a.tokens + excluded.tokens, deferred = a.deferred + excluded.deferred;

-- name: add_ends
-- What a page changes about the tokens that end on a day.
INSERT INTO {liability_ends} AS e (kind, ends_on, tokens, deferred)
SELECT m.kind, date '2000-01-01' + m.ends_on, m.tokens, m.deferred
FROM unnest(%s::text[], %s::integer[], %s::bigint[], %s::bigint[])
  AS m (kind, ends_on, tokens, deferred)
ON CONFLICT (kind, ends_on) DO UPDATE SET
  tokens = e.tokens + excluded.tokens, deferred = e.deferred + excluded.deferred;

-- name: add_days
-- What a page adds to each day.
INSERT INTO {liability_days} AS d (
  day, paid, promo, deferred, posted_paid, posted_promo, posted_deferred)
SELECT date '2000-01-01' + m.day, m.paid, m.promo, m.deferred, m.posted_paid, m.posted_promo,
       m.posted_deferred
FROM unnest(%s::integer[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
            %s::bigint[])
  AS m (day, paid, promo, deferred, posted_paid, posted_promo, posted_deferred)
ON CONFLICT (day) DO UPDATE SET
  paid = d.paid + excluded.paid,
  promo = d.promo + excluded.promo,
  deferred = d.deferred + excluded.deferred,
  posted_paid = d.posted_paid + excluded.posted_paid,
  posted_promo = d.posted_promo + excluded.posted_promo,
  posted_deferred = d.posted_deferred + excluded.posted_deferred;

