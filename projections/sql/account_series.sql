-- name: days
-- An account's turnover by day between two days.
SELECT d.effective_on, d.debit, d.credit
FROM {accounts} a JOIN {account_days} d ON d.account_id = a.id
WHERE a.account = %(account)s AND a.asset = %(asset)s
  AND d.effective_on BETWEEN %(first)s AND %(last)s
ORDER BY d.effective_on;

-- name: class_days
-- The same of a class of accounts.
SELECT effective_on, debit, credit FROM {class_days}
WHERE class = %(account)s AND asset = %(asset)s AND effective_on BETWEEN %(first)s AND %(last)s
ORDER BY effective_on;

-- name: legs
-- What an event did to each account, and the balance after it.
SELECT a.account, a.asset, j.amount, j.balance
FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS k (account, asset, nth)
JOIN {accounts} a ON a.account = k.account AND a.asset = k.asset
JOIN {journal} j ON j.account_id = a.id AND j.position = %s
ORDER BY k.nth;
