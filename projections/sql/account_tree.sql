-- name: classes
-- Every class: how many accounts it has, what it stood at before some days, and its debit and
-- credit on them.
SELECT p.position, c.class, c.asset, coalesce(n.accounts, 0), coalesce(d.opening, 0),
       coalesce(d.debit, 0), coalesce(d.credit, 0)
FROM projections p
LEFT JOIN {account_classes} c ON %(asset)s::text IS NULL OR c.asset = %(asset)s
LEFT JOIN {class_accounts} n ON n.class = c.class AND n.asset = c.asset
LEFT JOIN LATERAL (
  SELECT (sum(debit - credit) FILTER (WHERE effective_on < %(first)s))::bigint AS opening,
         (sum(debit) FILTER (WHERE effective_on >= %(first)s))::bigint AS debit,
         (sum(credit) FILTER (WHERE effective_on >= %(first)s))::bigint AS credit
  FROM {class_days} d
  WHERE d.class = c.class AND d.asset = c.asset AND d.effective_on <= %(last)s
) d ON true
WHERE p.name = 'account_classes' ORDER BY c.class, c.asset;

-- name: names
-- Accounts by name after one of them, of a prefix and an ending, walked along the names.
SELECT account, asset, id FROM {accounts}
WHERE (account, asset) > (%(account)s, %(after_asset)s)
  AND account >= %(prefix)s AND account < %(prefix)s || '/'
  AND (account = %(prefix)s OR starts_with(account, %(prefix)s || '.'))
  AND right(account, length(%(ending)s)) = %(ending)s
  AND (%(asset)s::text IS NULL OR asset = %(asset)s)
ORDER BY account, asset LIMIT %(limit)s;

-- name: sums
-- What accounts stood at before some days and their debit and credit on them, as known at a
-- position: by the turnover of days, less what was told since.
SELECT k.id,
       CASE WHEN %(eve)s::date IS NULL THEN 0 ELSE coalesce((
         SELECT balance FROM {journal} j
         WHERE j.account_id = k.id AND j.position <= least(%(position)s, %(before)s)
         ORDER BY j.position DESC LIMIT 1
       ), 0) + coalesce((
         SELECT sum(CASE WHEN recorded_on > effective_on THEN amount ELSE -amount END)
         FROM {late_lines} l
         WHERE l.covers @> k.id::bigint * 4194304 + (%(eve)s::date - date '0001-01-01')
           AND l.position <= %(position)s
       ), 0) END::bigint,
       (coalesce(d.debit, 0) - coalesce(s.debit, 0))::bigint,
       (coalesce(d.credit, 0) - coalesce(s.credit, 0))::bigint
FROM unnest(%(ids)s::integer[]) AS k (id)
LEFT JOIN LATERAL (
  SELECT sum(debit) AS debit, sum(credit) AS credit FROM {account_days}
  WHERE account_id = k.id AND effective_on BETWEEN %(first)s AND %(last)s
) d ON true
LEFT JOIN LATERAL (
  SELECT sum(amount) FILTER (WHERE amount > 0) AS debit,
         -sum(amount) FILTER (WHERE amount < 0) AS credit
  FROM {journal}
  WHERE account_id = k.id AND position > %(position)s
    AND effective_on BETWEEN %(first)s AND %(last)s
) s ON true;
