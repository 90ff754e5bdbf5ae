-- name: at_head
-- Every class's balance at the checkpoint.
SELECT p.position, c.class, c.asset, c.balance
FROM projections p LEFT JOIN {account_classes} c ON true
WHERE p.name = 'account_classes' ORDER BY c.class, c.asset;

-- name: at_step
-- Every class's balance at the last step up to a position, and up to where the answer then goes.
SELECT p.position, c.class, c.asset, s.balance
FROM (SELECT least(position, %s) AS position FROM projections WHERE name = 'account_classes') p
LEFT JOIN {account_classes} c ON true
LEFT JOIN LATERAL (
  SELECT balance FROM {class_steps} s
  WHERE s.class = c.class AND s.asset = c.asset AND s.position <= p.position
  ORDER BY s.position DESC LIMIT 1
) s ON true
ORDER BY c.class, c.asset;

-- name: at_date
-- Every class's balance at the end of an effective date, as known at the checkpoint; null before
-- its first.
SELECT p.position, c.class, c.asset, d.balance
FROM projections p
LEFT JOIN {account_classes} c ON true
LEFT JOIN LATERAL (
  SELECT sum(debit - credit)::bigint AS balance FROM {class_days} d
  WHERE d.class = c.class AND d.asset = c.asset AND d.effective_on <= %s
) d ON true
WHERE p.name = 'account_classes'
ORDER BY c.class, c.asset;

-- name: late
-- What late and early lines up to a position change about the balances at the end of a date.
SELECT class, asset,
       sum(CASE WHEN recorded_on > effective_on THEN amount ELSE -amount END)::bigint
FROM {late_class_lines} WHERE covers @> %s::date AND position <= %s
GROUP BY class, asset;
