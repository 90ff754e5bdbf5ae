-- name: waiting
-- What waits for somebody, by kind: how many, for how much in minor units of the book's currency,
-- and since when the oldest does.
SELECT 'suspended' AS kind, count(*),
       sum(in_suspense) FILTER (WHERE coalesce(currency, %(currency)s) = %(currency)s)::bigint,
       min(received_at)
FROM {notices} WHERE status = 'SUSPENDED'
UNION ALL
SELECT 'payouts_requested', count(*), sum(gross)::bigint, min(created_at)
FROM {payouts} WHERE status = 'REQUESTED'
UNION ALL
SELECT 'payouts_unconfirmed', count(*), sum(gross)::bigint, min(updated_at)
FROM {payouts} WHERE status = 'SUBMITTED'
UNION ALL
SELECT 'adjustments_proposed', count(*), NULL, min(created_at)
FROM {adjustments} WHERE status = 'PROPOSED'
UNION ALL
SELECT 'policies_proposed', count(*), NULL, min(created_at)
FROM {policies} WHERE status = 'PROPOSED'
UNION ALL
SELECT 'breaks_open', count(*), sum(greatest(abs(suspense), abs(difference)))::bigint,
       min(created_at)
FROM {breaks} WHERE status = 'OPEN'
UNION ALL
SELECT 'creators_negative', count(*), sum(available)::bigint, NULL
FROM {creators} WHERE available < 0;

-- name: parked
-- Since when the oldest notice is parked.
SELECT min(received_at) FROM inbox WHERE state = 'parked';
