-- name: lines
-- An account's lines that are effective on some days and were known at a position, in the order of
-- the log: those that were recorded on these days, and the late and early ones. {journal} is walked
-- between the two days, {late_lines} along the effective dates.
SELECT l.position, l.effective_on, l.amount, l.late
FROM {accounts} a
CROSS JOIN LATERAL (
  (
    SELECT j.position, j.effective_on, j.amount, EXISTS (
      SELECT FROM {late_lines} l
      WHERE l.account_id = j.account_id AND l.position = j.position
        AND l.recorded_on > l.effective_on
    ) AS late
    FROM {journal} j
    WHERE j.account_id = a.id
      AND j.position > greatest(%(after)s, %(before)s)
      AND j.position <= least(%(day_end)s, %(position)s)
      AND j.effective_on BETWEEN %(first)s AND %(last)s
    ORDER BY j.position LIMIT %(limit)s
  )
  UNION ALL
  (
    SELECT l.position, l.effective_on, l.amount, l.recorded_on > l.effective_on FROM {late_lines} l
    WHERE l.account_id = a.id AND l.effective_on BETWEEN %(first)s AND %(last)s
      AND l.position > %(after)s AND l.position <= %(position)s
      AND (l.position <= %(before)s OR l.position > %(day_end)s)
    ORDER BY l.position LIMIT %(limit)s
  )
) l
WHERE a.account = %(account)s AND a.asset = %(asset)s
ORDER BY l.position LIMIT %(limit)s;

-- name: turnover
-- Debit and credit of the same lines, all of them.
SELECT coalesce(sum(l.amount) FILTER (WHERE l.amount > 0), 0)::bigint,
       coalesce(-sum(l.amount) FILTER (WHERE l.amount < 0), 0)::bigint
FROM {accounts} a
CROSS JOIN LATERAL (
  SELECT j.amount FROM {journal} j
  WHERE j.account_id = a.id
    AND j.position > %(before)s AND j.position <= least(%(day_end)s, %(position)s)
    AND j.effective_on BETWEEN %(first)s AND %(last)s
  UNION ALL
  SELECT l.amount FROM {late_lines} l
  WHERE l.account_id = a.id AND l.effective_on BETWEEN %(first)s AND %(last)s
    AND l.position <= %(position)s
    AND (l.position <= %(before)s OR l.position > %(day_end)s)
) l
WHERE a.account = %(account)s AND a.asset = %(asset)s;

-- name: told_since
-- An account's lines that are effective by a day and became known after one position and up to
-- another, in the order of the log.
SELECT l.position, l.effective_on, l.amount
FROM {accounts} a
CROSS JOIN LATERAL (
  (
    SELECT j.position, j.effective_on, j.amount FROM {journal} j
    WHERE j.account_id = a.id AND j.position > %(after)s
      AND j.position <= least(%(until)s, %(day_end)s) AND j.effective_on <= %(day)s
    ORDER BY j.position LIMIT %(limit)s
  )
  UNION ALL
  (
    SELECT l.position, l.effective_on, l.amount FROM {late_lines} l
    WHERE l.account_id = a.id AND l.effective_on <= %(day)s
      AND l.position > greatest(%(after)s, %(day_end)s) AND l.position <= %(until)s
    ORDER BY l.position LIMIT %(limit)s
  )
) l
WHERE a.account = %(account)s AND a.asset = %(asset)s
ORDER BY l.position LIMIT %(limit)s;

-- name: days
-- An account's turnover by day between two days, and what it stood at before them.
SELECT d.effective_on, d.debit, d.credit
FROM {accounts} a JOIN {account_days} d ON d.account_id = a.id
WHERE a.account = %(account)s AND a.asset = %(asset)s
  AND d.effective_on BETWEEN %(first)s AND %(last)s
ORDER BY d.effective_on;

-- name: legs
-- What an event did to each account, and the balance after it.
SELECT a.account, a.asset, j.amount, j.balance
FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS k (account, asset, nth)
JOIN {accounts} a ON a.account = k.account AND a.asset = k.asset
JOIN {journal} j ON j.account_id = a.id AND j.position = %s
ORDER BY k.nth;
