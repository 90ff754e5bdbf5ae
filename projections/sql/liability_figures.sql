-- name: liability
-- Tokens left by class and by range of age at a date; those that end up to a later one, by day; and
-- the first days on which lots and postings differ. `part` says which of these a row is.
SELECT p.position, r.* FROM projections p LEFT JOIN (
  SELECT 'age' AS part, kind, width_bucket(%(today)s::date - since, %(ages)s::integer[]) AS age,
         NULL::date AS day, sum(tokens)::bigint AS tokens, sum(deferred)::bigint AS deferred
  FROM {liability_ages} GROUP BY kind, age
  UNION ALL
  SELECT 'end', kind, NULL, ends_on, tokens, deferred
  FROM {liability_ends} WHERE ends_on <= %(soon)s AND tokens <> 0
  UNION ALL
  (SELECT 'differs', NULL, NULL, day, paid - posted_paid + promo - posted_promo,
          deferred - posted_deferred
   FROM {liability_days}
   WHERE (paid, promo, deferred) <> (posted_paid, posted_promo, posted_deferred)
   ORDER BY day LIMIT %(days)s)
) r ON true
WHERE p.name = 'liability' ORDER BY r.part, r.kind, r.age, r.day;

-- name: lots
-- What one user has left of which lots; one row of nulls where there is nothing.
SELECT p.position, l.since, l.lot, l.purchase, l.kind, l.tokens, l.price, l.consumed, l.expires_at,
       l.held
FROM projections p
LEFT JOIN {lots} l ON l.user_id = %s AND l.is_open
WHERE p.name = 'liability';
