-- name: list
-- A page of the users in some tiers, in the order in which they first bought. Each tier is a walk
-- along an index. Whoever left and had never bought is not listed. What each spent is the sum of
-- all sales less those up to an edge.
SELECT p.position, l.*, l.spent - coalesce(
  (SELECT s.before + s.left_of FROM {tier_sales} s WHERE s.user_id = l.user_id AND s.at <= %(edge)s
   ORDER BY s.at DESC, s.position DESC LIMIT 1), 0)
FROM projections p
LEFT JOIN LATERAL (
  SELECT t.* FROM unnest(%(statuses)s::text[]) AS s (tier)
  CROSS JOIN LATERAL (
    SELECT * FROM {tiers} t
    WHERE t.tier = s.tier COLLATE "C"
      AND (t.sold_at IS NOT NULL OR t.changed_at IS NOT NULL)
      AND t.first_position BETWEEN %(first)s::bigint AND %(last)s::bigint
    ORDER BY t.first_position {order} LIMIT %(limit)s
  ) t
  ORDER BY t.first_position {order} LIMIT %(limit)s
) l ON true
WHERE p.name = 'tiers'
ORDER BY l.first_position {order}

-- name: one
-- One user's row with the position that it stands for; nulls where there is none.
SELECT p.position, t.*, t.spent - coalesce(
  (SELECT s.before + s.left_of FROM {tier_sales} s WHERE s.user_id = t.user_id AND s.at <= %(edge)s
   ORDER BY s.at DESC, s.position DESC LIMIT 1), 0)
FROM projections p LEFT JOIN {tiers} t ON t.user_id = %(user)s
  AND (t.sold_at IS NOT NULL OR t.changed_at IS NOT NULL)
WHERE p.name = 'tiers'
