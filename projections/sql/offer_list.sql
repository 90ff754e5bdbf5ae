-- name: list
-- A page of offers with their figures, in the order of their publication; {beyond} is where the
-- page goes on. A day is one of the book's zone.
SELECT p.position, l.*
FROM projections p
LEFT JOIN LATERAL (
  SELECT o.*, coalesce(f.uses, 0), coalesce(f.revenue, 0), coalesce(f.discount, 0),
         coalesce(f.platform_discount, 0)
  FROM {offers} o LEFT JOIN {offer_figures} f ON f.offer = o.offer
  WHERE o.first_position {beyond} %(after)s
    AND CASE WHEN o.withdrawn_at IS NULL THEN 'PUBLISHED' ELSE 'WITHDRAWN' END
      = ANY (%(statuses)s::text[])
    AND (%(until)s::bigint IS NULL OR o.first_position <= %(until)s)
    AND (%(created_by)s::timestamptz IS NULL OR o.created_at <= %(created_by)s)
    AND (o.created_at AT TIME ZONE %(time_zone)s)::date
      BETWEEN %(first_day)s::date AND %(last_day)s::date
    AND (%(product)s::text IS NULL OR o.terms::jsonb -> 'products' ? %(product)s)
    AND (%(labels)s::text = '{{}}' OR o.labels::jsonb @> %(labels)s::jsonb)
  ORDER BY o.first_position {order} LIMIT %(limit)s
) l ON true
WHERE p.name = 'offers'
ORDER BY l.first_position {order};
