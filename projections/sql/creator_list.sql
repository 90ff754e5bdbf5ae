-- name: list
-- A page of creators in the order of {value} and the creator.
SELECT p.position, c.value, c.creator, c.pending, c.available, c.reserved, c.in_payout, c.earned
FROM projections p
LEFT JOIN (
  SELECT {value} AS value, row_number() OVER (ORDER BY {ranks}) AS nth, {creators}.*
  FROM {creators} WHERE {beyond} ORDER BY {ranks} LIMIT %(limit)s
) c ON true
WHERE p.name = 'earnings'
ORDER BY c.nth;
