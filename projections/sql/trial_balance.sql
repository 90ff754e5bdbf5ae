-- name: at_head
-- Accounts after one by name, so many at most, and their balances at the checkpoint.
SELECT p.position, a.account, a.asset, a.balance
FROM projections p
LEFT JOIN LATERAL (
  SELECT * FROM {accounts} WHERE (account, asset) > (%(account)s, %(asset)s)
  ORDER BY account, asset LIMIT %(limit)s
) a ON true
WHERE p.name = 'journal' ORDER BY a.account, a.asset;

-- name: at_position
-- The same at a position: one probe of the journal each; null before its first.
SELECT p.position, a.account, a.asset, j.balance
FROM (SELECT least(position, %(position)s) AS position FROM projections WHERE name = 'journal') p
LEFT JOIN LATERAL (
  SELECT * FROM {accounts} WHERE (account, asset) > (%(account)s, %(asset)s)
  ORDER BY account, asset LIMIT %(limit)s
) a ON true
LEFT JOIN LATERAL (
  SELECT balance FROM {journal} j
  WHERE j.account_id = a.id AND j.position <= p.position
  ORDER BY j.position DESC LIMIT 1
) j ON true
ORDER BY a.account, a.asset;

-- name: as_known
-- The same at the end of an effective date, as known at a position: at the last position of that
-- day, with what was told of it later up to there, and without what had been told too early; null
-- before its first.
SELECT k.position, a.account, a.asset,
       CASE WHEN j.balance IS NULL THEN l.amount ELSE j.balance + coalesce(l.amount, 0) END
FROM (SELECT least(position, %(position)s) AS position FROM projections WHERE name = 'journal') k
LEFT JOIN LATERAL (
  SELECT * FROM {accounts} WHERE (account, asset) > (%(account)s, %(asset)s)
  ORDER BY account, asset LIMIT %(limit)s
) a ON true
LEFT JOIN LATERAL (
  SELECT balance FROM {journal} j
  WHERE j.account_id = a.id AND j.position <= least(k.position, %(day_end)s)
  ORDER BY j.position DESC LIMIT 1
) j ON true
LEFT JOIN LATERAL (
  SELECT sum(CASE WHEN recorded_on > effective_on THEN amount ELSE -amount END)::bigint AS amount
  FROM {late_lines} l
  WHERE l.covers @> a.id::bigint * 4194304 + (%(day)s::date - date '0001-01-01')
    AND l.position <= k.position
) l ON true
ORDER BY a.account, a.asset;

-- name: balance_as_known
-- The same of one account: a probe of the journal, and the late lines that cover the day.
SELECT k.position, coalesce((
  SELECT balance FROM {journal} j
  WHERE j.account_id = a.id AND j.position <= least(k.position, %(day_end)s)
  ORDER BY j.position DESC LIMIT 1
), 0) + coalesce((
  SELECT sum(CASE WHEN recorded_on > effective_on THEN amount ELSE -amount END)::bigint
  FROM {late_lines} l
  WHERE l.covers @> a.id::bigint * 4194304 + (%(day)s::date - date '0001-01-01')
    AND l.position <= k.position
), 0)
FROM (SELECT least(position, %(position)s) AS position FROM projections WHERE name = 'journal') k
LEFT JOIN {accounts} a ON a.account = %(account)s AND a.asset = %(asset)s;

-- name: balance_at_head
-- One account's balance at the checkpoint.
SELECT p.position, a.balance
FROM projections p LEFT JOIN {accounts} a ON a.account = %s AND a.asset = %s
WHERE p.name = 'journal';

-- name: balance_at_position
-- One account's balance at a position: one probe of the journal. Joined to the accounts instead,
-- all lines of the account would be read and sorted.
SELECT p.position, (
  SELECT j.balance FROM {journal} j
  WHERE j.account_id = (SELECT id FROM {accounts} WHERE account = %s AND asset = %s)
    AND j.position <= p.position
  ORDER BY j.position DESC LIMIT 1)
FROM (SELECT least(position, %s) AS position FROM projections WHERE name = 'journal') p;

-- name: balance_at_date
-- One account's balance at the end of an effective date, as known at the checkpoint.
SELECT p.position, (
  SELECT sum(debit - credit)::bigint
  FROM {accounts} a JOIN {account_days} d ON d.account_id = a.id
  WHERE a.account = %s AND a.asset = %s AND d.effective_on <= %s)
FROM projections p WHERE p.name = 'journal';

-- name: lines
-- An account's postings after a position, each with the balance it left.
SELECT j.position, j.effective_on, j.amount, j.balance
FROM {journal} j
WHERE j.account_id = (SELECT id FROM {accounts} WHERE account = %s AND asset = %s)
  AND j.position > %s
ORDER BY j.position LIMIT %s;
