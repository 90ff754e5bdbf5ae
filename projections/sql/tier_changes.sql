-- name: due
-- Tiers that change by now, the first first, by what the read model knows; the position that it
-- stands for, whether that is the head, and when the next of the others changes. What was recorded
-- up to the time of its last entry it knows all of; at the head, what was up to a moment ago. A
-- simulated book has a told time instead.
WITH known AS (
  SELECT p.position, p.position >= h.position AS at_head,
         coalesce(%(until)s::timestamptz, greatest(
           (SELECT e.recorded_at FROM events e WHERE e.position = p.position),
           CASE WHEN p.position >= h.position
             THEN greatest(clock_timestamp(), h.recorded_at) - %(settled)s::interval END
         )) AS until
  FROM projections p, head h
  WHERE p.name = 'tiers'
)
SELECT k.position, k.at_head,
       (SELECT min(t.changes_at) FROM tiers t WHERE t.changes_at > k.until),
       t.user_id, t.changes_at, t.changes_spend, t.changes_window,
       extract(epoch FROM greatest(k.until - t.changes_at, interval '0'))::float
FROM known k
LEFT JOIN LATERAL (
  SELECT * FROM tiers t WHERE t.changes_at <= k.until
  ORDER BY t.changes_at, t.user_id LIMIT %(limit)s
) t ON true
ORDER BY t.changes_at, t.user_id
