-- name: lines
-- An account's lines in the order of the log, after one position and up to another.
SELECT j.position, j.amount
FROM {accounts} a
CROSS JOIN LATERAL (
  SELECT position, amount FROM {journal} l
  WHERE l.account_id = a.id AND l.position > %(after)s AND l.position <= %(until)s
  ORDER BY l.position LIMIT %(limit)s
) j
WHERE a.account = %(account)s AND a.asset = %(asset)s
ORDER BY j.position;
