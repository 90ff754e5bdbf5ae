-- name: everything
-- Positions of what is effective on some days, of those after one position and up to another: what
-- was recorded on these days, and what was told of them later, or too early. The lines that cover
-- the last day hold all of the former, those that cover the day before the first all of the latter.
SELECT position FROM (
  (
    SELECT position FROM events
    WHERE position > greatest(%(after)s, %(before)s) AND position <= least(%(until)s, %(day_end)s)
    ORDER BY position {order} LIMIT %(limit)s
  )
  UNION ALL
  (
    SELECT DISTINCT position FROM {late_class_lines}
    WHERE covers @> %(last)s::date AND effective_on BETWEEN %(first)s AND %(last)s
      AND position > greatest(%(after)s, %(day_end)s) AND position <= %(until)s
    ORDER BY position {order} LIMIT %(limit)s
  )
  UNION ALL
  (
    SELECT DISTINCT position FROM {late_class_lines}
    WHERE covers @> %(eve)s::date AND effective_on BETWEEN %(first)s AND %(last)s
      AND position > %(after)s AND position <= least(%(until)s, %(before)s)
    ORDER BY position {order} LIMIT %(limit)s
  )
) found
ORDER BY position {order} LIMIT %(limit)s;

-- name: of_tag
-- The same of what has a tag.
SELECT position FROM (
  (
    SELECT position FROM event_tags
    WHERE tag = %(tag)s
      AND position > greatest(%(after)s, %(before)s) AND position <= least(%(until)s, %(day_end)s)
    ORDER BY position {order} LIMIT %(limit)s
  )
  UNION ALL
  (
    SELECT DISTINCT l.position FROM {late_class_lines} l
    JOIN event_tags t ON t.tag = %(tag)s AND t.position = l.position
    WHERE l.covers @> %(last)s::date AND l.effective_on BETWEEN %(first)s AND %(last)s
      AND l.position > greatest(%(after)s, %(day_end)s) AND l.position <= %(until)s
    ORDER BY position {order} LIMIT %(limit)s
  )
  UNION ALL
  (
    SELECT DISTINCT l.position FROM {late_class_lines} l
    JOIN event_tags t ON t.tag = %(tag)s AND t.position = l.position
    WHERE l.covers @> %(eve)s::date AND l.effective_on BETWEEN %(first)s AND %(last)s
      AND l.position > %(after)s AND l.position <= least(%(until)s, %(before)s)
    ORDER BY position {order} LIMIT %(limit)s
  )
) found
ORDER BY position {order} LIMIT %(limit)s;

-- name: of_account
-- The same of what was posted to an account, in one asset or in any. {journal} is walked between
-- the days, {late_lines} along the effective dates.
SELECT DISTINCT l.position
FROM {accounts} a
CROSS JOIN LATERAL (
  (
    SELECT j.position FROM {journal} j
    WHERE j.account_id = a.id
      AND j.position > greatest(%(after)s, %(before)s)
      AND j.position <= least(%(until)s, %(day_end)s)
      AND j.effective_on BETWEEN %(first)s AND %(last)s
    ORDER BY j.position {order} LIMIT %(limit)s
  )
  UNION ALL
  (
    SELECT l.position FROM {late_lines} l
    WHERE l.account_id = a.id AND l.effective_on BETWEEN %(first)s AND %(last)s
      AND l.position > %(after)s AND l.position <= %(until)s
      AND (l.position <= %(before)s OR l.position > %(day_end)s)
    ORDER BY l.position {order} LIMIT %(limit)s
  )
) l
WHERE a.account = %(account)s AND (%(asset)s::text IS NULL OR a.asset = %(asset)s)
ORDER BY l.position {order} LIMIT %(limit)s;
