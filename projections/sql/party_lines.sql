-- name: lines
-- The lines of some accounts between two positions, along the index of each of its accounts; of
-- the event at which the page before ended, those of the accounts beyond its last.
SELECT p.position, l.position, a.id, a.account, a.asset, l.amount, l.balance
FROM projections p
LEFT JOIN {accounts} a ON a.account = ANY (%(accounts)s)
LEFT JOIN LATERAL (
  SELECT j.position, j.amount, j.balance FROM {journal} j
  WHERE j.account_id = a.id AND j.position BETWEEN %(first)s AND %(last)s
    AND (j.position <> %(after)s OR a.id {beyond} %(account)s)
  ORDER BY j.position {order} LIMIT %(limit)s
) l ON true
WHERE p.name = 'journal'
ORDER BY l.position {order} NULLS LAST, a.id {order} LIMIT %(limit)s;
