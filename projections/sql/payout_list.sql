-- name: list
-- A page of payouts of some statuses in the order of their requests. Each status is a walk along
-- an index; {beyond} is where the page goes on.
SELECT p.position, l.*
FROM projections p
LEFT JOIN LATERAL (
  SELECT o.*
  FROM unnest(%(statuses)s::text[]) AS s (status)
  CROSS JOIN LATERAL (
    SELECT o.* FROM {payouts} o
    WHERE o.status = s.status COLLATE "C" AND o.first_position {beyond} %(after)s
      AND (%(until)s::bigint IS NULL OR o.first_position <= %(until)s)
      AND (%(created_by)s::timestamptz IS NULL OR o.created_at <= %(created_by)s)
      AND (%(creator)s::text IS NULL OR o.creator = %(creator)s)
      AND (%(requested_by)s::text IS NULL OR o.requester = %(requested_by)s)
      AND (%(processor)s::text IS NULL OR o.processor = %(processor)s)
      AND (%(processor_ref)s::text IS NULL OR o.processor_ref = %(processor_ref)s)
      AND o.gross >= %(min_amount)s
      AND (%(labels)s::text = '{{}}' OR o.labels::jsonb @> %(labels)s::jsonb)
    ORDER BY o.first_position {order} LIMIT %(limit)s
  ) o
  ORDER BY o.first_position {order} LIMIT %(limit)s
) l ON true
WHERE p.name = 'payouts'
ORDER BY l.first_position {order};
