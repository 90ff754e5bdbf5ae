-- name: list
-- A page of wallets in the order of {value} and the user; what has ended and is not booked yet
-- stands apart.
SELECT p.position, w.value, w.user_id, w.free_paid, w.free_promo, w.held_paid, w.held_promo,
       w.purchased, w.granted, w.spent, w.refunded, w.expired,
       coalesce(over.lapsing, 0)::bigint, coalesce(over.expired, 0)::bigint,
       ARRAY(SELECT scope FROM {wallet_freezes} f WHERE f.user_id = w.user_id ORDER BY scope)
FROM projections p
LEFT JOIN (
  SELECT {value} AS value, row_number() OVER (ORDER BY {ranks}) AS nth, {wallets}.*
  FROM {wallets} WHERE {beyond} ORDER BY {ranks} LIMIT %(limit)s
) w ON true
LEFT JOIN LATERAL (
  SELECT sum(e.free) FILTER (WHERE e.kind = 'PAID') AS lapsing,
         sum(e.free) FILTER (WHERE e.kind = 'PROMO') AS expired
  FROM {wallet_ends} e WHERE e.user_id = w.user_id AND e.ends_at <= clock_timestamp()
) AS over ON true
WHERE p.name = 'wallets'
ORDER BY w.nth;
