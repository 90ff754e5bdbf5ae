-- name: turnover
-- Debit and credit of an account's lines that are effective on some days and were known at a
-- position.
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

-- name: class_turnover
-- What a class stood at before some days, and its debit and credit on them; and as known when.
SELECT p.position,
       coalesce(sum(d.debit - d.credit) FILTER (WHERE d.effective_on < %(first)s), 0)::bigint,
       coalesce(sum(d.debit) FILTER (WHERE d.effective_on >= %(first)s), 0)::bigint,
       coalesce(sum(d.credit) FILTER (WHERE d.effective_on >= %(first)s), 0)::bigint
FROM projections p
LEFT JOIN {class_days} d
  ON d.class = %(account)s AND d.asset = %(asset)s AND d.effective_on <= %(last)s
WHERE p.name = 'account_classes'
GROUP BY p.position;
