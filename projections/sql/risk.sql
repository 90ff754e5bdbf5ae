-- name: tables
-- Disputes by card that a buyer has lost by now, what they came to in minor units, when the last
-- one was lost, and the event that said so.
CREATE TABLE {buyer_risks} (
  user_id  text COLLATE "C" PRIMARY KEY,
  disputes bigint NOT NULL,
  amount   bigint NOT NULL,
  last_at  timestamptz NOT NULL,
  position bigint NOT NULL
) WITH (fillfactor = 70);
GRANT SELECT ON {buyer_risks} TO tokenledger_auditor;

-- name: indexes
-- Buyers by when they lost last; those whose marks were all taken back are not listed.
CREATE INDEX ON {buyer_risks} (last_at, user_id) WHERE disputes > 0;

-- name: put
-- The marks that a page leaves.
INSERT INTO {buyer_risks} (user_id, disputes, amount, last_at, position)
SELECT * FROM unnest(
  %s::text[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::bigint[])
ON CONFLICT (user_id) DO UPDATE SET
  disputes = excluded.disputes, amount = excluded.amount,
  last_at = excluded.last_at, position = excluded.position;

-- name: newest
-- A page of buyers, who lost last first, and what is frozen of their wallets.
SELECT p.position, r.user_id, r.disputes, r.amount, r.last_at, r.position,
       ARRAY(SELECT scope FROM wallet_freezes f WHERE f.user_id = r.user_id ORDER BY scope)
FROM (SELECT min(position) AS position FROM projections WHERE name IN ('risk', 'wallets')) p
LEFT JOIN LATERAL (
  SELECT * FROM {buyer_risks} r
  WHERE r.disputes > 0 AND r.disputes >= %(min_disputes)s AND r.amount >= %(min_amount)s
    AND (%(user)s::text IS NULL OR r.user_id = %(user)s)
    AND (r.last_at, r.user_id) < (%(last_at)s::timestamptz, %(after_user)s)
  ORDER BY r.last_at DESC, r.user_id DESC LIMIT %(limit)s
) r ON true
ORDER BY r.last_at DESC, r.user_id DESC;

-- name: oldest
-- The same, who lost last comes last.
SELECT p.position, r.user_id, r.disputes, r.amount, r.last_at, r.position,
       ARRAY(SELECT scope FROM wallet_freezes f WHERE f.user_id = r.user_id ORDER BY scope)
FROM (SELECT min(position) AS position FROM projections WHERE name IN ('risk', 'wallets')) p
LEFT JOIN LATERAL (
  SELECT * FROM {buyer_risks} r
  WHERE r.disputes > 0 AND r.disputes >= %(min_disputes)s AND r.amount >= %(min_amount)s
    AND (%(user)s::text IS NULL OR r.user_id = %(user)s)
    AND (r.last_at, r.user_id) > (%(last_at)s::timestamptz, %(after_user)s)
  ORDER BY r.last_at, r.user_id LIMIT %(limit)s
) r ON true
ORDER BY r.last_at, r.user_id;
