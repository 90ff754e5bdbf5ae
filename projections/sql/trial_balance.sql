-- name: at_head
-- Every account's balance at the checkpoint.
SELECT p.position, a.account, a.asset, a.balance
FROM projections p LEFT JOIN {accounts} a ON true
WHERE p.name = 'journal' ORDER BY a.account, a.asset;

-- name: at_position
-- Every account's balance at a position: one probe of the journal each; null before its first.
SELECT p.position, a.account, a.asset, j.balance
FROM (SELECT least(position, %s) AS position FROM projections WHERE name = 'journal') p
LEFT JOIN {accounts} a ON true
LEFT JOIN LATERAL (
  SELECT balance FROM {journal} j
  WHERE j.account_id = a.id AND j.position <= p.position
  ORDER BY j.position DESC LIMIT 1
) j ON true
ORDER BY a.account, a.asset;

-- name: at_date
-- Every account's balance at the end of an effective date, as known at the checkpoint; null
-- before its first.
SELECT p.position, a.account, a.asset, d.balance
FROM projections p
LEFT JOIN {accounts} a ON true
LEFT JOIN LATERAL (
  SELECT sum(debit - credit)::bigint AS balance FROM {account_days} d
  WHERE d.account_id = a.id AND d.effective_on <= %s
) d ON true
WHERE p.name = 'journal'
ORDER BY a.account, a.asset;

-- name: balance_at_head
-- One account's balance at the checkpoint.
SELECT p.position, a.balance
FROM projections p LEFT JOIN {accounts} a ON a.account = %s AND a.asset = %s
WHERE p.name = 'journal';

-- name: balance_at_position
-- One account's balance at a position: one probe of the journal.
SELECT p.position, (
  SELECT j.balance FROM {accounts} a JOIN {journal} j ON j.account_id = a.id
  WHERE a.account = %s AND a.asset = %s AND j.position <= p.position
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
FROM {accounts} a JOIN {journal} j ON j.account_id = a.id
WHERE a.account = %s AND a.asset = %s AND j.position > %s
ORDER BY j.position LIMIT %s;
