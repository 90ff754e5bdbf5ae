-- name: tables
-- Tokens by user as the postings on the wallet's accounts leave them, and what they were for.
CREATE TABLE {wallets} (
  user_id    text COLLATE "C" PRIMARY KEY,
  free_paid  bigint NOT NULL,
  free_promo bigint NOT NULL,
  held_paid  bigint NOT NULL,
  held_promo bigint NOT NULL,
  purchased  bigint NOT NULL,
  granted    bigint NOT NULL,
  spent      bigint NOT NULL,
  refunded   bigint NOT NULL,
  expired    bigint NOT NULL
) WITH (fillfactor = 70);
-- One row per scope that is frozen at present.
CREATE TABLE {wallet_freezes} (
  user_id text COLLATE "C",
  scope   text COLLATE "C",
  PRIMARY KEY (user_id, scope)
);
-- What is free of the lots that end some day.
CREATE TABLE {wallet_ends} (
  user_id text COLLATE "C",
  lot     text COLLATE "C",
  kind    text NOT NULL,
  ends_at timestamptz NOT NULL,
  free    bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (user_id, lot)
) WITH (fillfactor = 70);
GRANT SELECT ON {wallets}, {wallet_freezes}, {wallet_ends} TO tokenledger_auditor;

-- name: indexes
-- How wallets are listed.
CREATE INDEX ON {wallets} ((free_paid + free_promo), user_id);
CREATE INDEX ON {wallets} (spent, user_id);

-- name: add
-- What a page adds to each wallet that it touches.
INSERT INTO {wallets} AS w (
  user_id, free_paid, free_promo, held_paid, held_promo,
  purchased, granted, spent, refunded, expired)
SELECT * FROM unnest(
  %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
  %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
ON CONFLICT (user_id) DO UPDATE SET
  free_paid = w.free_paid + excluded.free_paid,
  free_promo = w.free_promo + excluded.free_promo,
  held_paid = w.held_paid + excluded.held_paid,
  held_promo = w.held_promo + excluded.held_promo,
  purchased = w.purchased + excluded.purchased,
  granted = w.granted + excluded.granted,
  spent = w.spent + excluded.spent,
  refunded = w.refunded + excluded.refunded,
  expired = w.expired + excluded.expired;

-- name: end
-- Lots of a page that end; what is free of them follows.
INSERT INTO {wallet_ends} (user_id, lot, kind, ends_at)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[])
ON CONFLICT DO NOTHING;

-- name: free
-- What a page frees of lots that end, or takes from them; others have no row.
UPDATE {wallet_ends} e SET free = e.free + u.tokens
FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS u (user_id, lot, tokens)
WHERE e.user_id = u.user_id AND e.lot = u.lot;

-- name: freeze
-- Scopes that a page leaves frozen.
INSERT INTO {wallet_freezes} (user_id, scope)
SELECT * FROM unnest(%s::text[], %s::text[]) ON CONFLICT DO NOTHING;

-- name: unfreeze
-- Scopes that a page leaves free.
DELETE FROM {wallet_freezes} f USING unnest(%s::text[], %s::text[]) AS u (user_id, scope)
WHERE f.user_id = u.user_id AND f.scope = u.scope;

-- name: wallet
-- One user's wallet with the position it stands for; nulls for a user never seen.
SELECT p.position, w.free_paid, w.free_promo, w.held_paid, w.held_promo,
       w.purchased, w.granted, w.spent, w.refunded, w.expired,
       coalesce(over.lapsing, 0)::bigint, coalesce(over.expired, 0)::bigint,
       ARRAY(SELECT scope FROM {wallet_freezes} f WHERE f.user_id = u.user_id ORDER BY scope)
FROM projections p
CROSS JOIN (SELECT %(user)s::text COLLATE "C" AS user_id) u
LEFT JOIN {wallets} w ON w.user_id = u.user_id
LEFT JOIN LATERAL (
  SELECT sum(e.free) FILTER (WHERE e.kind = 'PAID') AS lapsing,
         sum(e.free) FILTER (WHERE e.kind = 'PROMO') AS expired
  FROM {wallet_ends} e
  WHERE e.user_id = u.user_id
    AND e.ends_at <= coalesce(%(at)s::timestamptz, clock_timestamp())
) AS over ON true
WHERE p.name = 'wallets';

-- name: totals
-- All wallets together.
SELECT p.position, t.*
FROM projections p
CROSS JOIN (
  SELECT count(*), coalesce(sum(free_paid), 0)::bigint, coalesce(sum(free_promo), 0)::bigint,
         coalesce(sum(held_paid), 0)::bigint, coalesce(sum(held_promo), 0)::bigint
  FROM {wallets}) AS t
WHERE p.name = 'wallets';
