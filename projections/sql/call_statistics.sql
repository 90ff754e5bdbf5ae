-- name: tables
-- Calls of a business day: of all, under the empty party, and of each fan and creator. Paid and
-- earned are minor units.
CREATE TABLE {call_days} (
  party        text COLLATE "C",
  name         text COLLATE "C",
  day          date,
  started      bigint NOT NULL,
  ended        bigint NOT NULL,
  out_of_funds bigint NOT NULL,
  blocks       bigint NOT NULL,
  seconds      bigint NOT NULL,
  tokens       bigint NOT NULL,
  paid         bigint NOT NULL,
  earned       bigint NOT NULL,
  PRIMARY KEY (party, name, day)
) WITH (fillfactor = 70);
GRANT SELECT ON {call_days} TO tokenledger_auditor;

-- name: indexes
-- Every index comes with its table.
SELECT;

-- name: add
-- What a page adds to each day.
INSERT INTO {call_days} AS c (
  party, name, day, started, ended, out_of_funds, blocks, seconds, tokens, paid, earned)
SELECT m.party, m.name, date '2000-01-01' + m.day, m.started, m.ended, m.out_of_funds, m.blocks,
       m.seconds, m.tokens, m.paid, m.earned
FROM unnest(%s::text[], %s::text[], %s::integer[], %s::bigint[], %s::bigint[], %s::bigint[],
            %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
  AS m (party, name, day, started, ended, out_of_funds, blocks, seconds, tokens, paid, earned)
ON CONFLICT (party, name, day) DO UPDATE SET
  started = c.started + excluded.started,
  ended = c.ended + excluded.ended,
  out_of_funds = c.out_of_funds + excluded.out_of_funds,
  blocks = c.blocks + excluded.blocks,
  seconds = c.seconds + excluded.seconds,
  tokens = c.tokens + excluded.tokens,
  paid = c.paid + excluded.paid,
  earned = c.earned + excluded.earned;

-- name: grouped
-- The days of a range of one party: all together, without a name, and a page of the days, weeks or
-- months after a day.
WITH chosen AS (
  SELECT date_trunc(%(unit)s, day::timestamp)::date AS first_day, c.*
  FROM {call_days} c
  WHERE party = %(party)s AND name = %(name)s AND day BETWEEN %(first)s AND %(last)s
), parts AS (
  SELECT NULL::date AS first_day,
         coalesce(sum(started), 0)::bigint, coalesce(sum(ended), 0)::bigint,
         coalesce(sum(out_of_funds), 0)::bigint, coalesce(sum(blocks), 0)::bigint,
         coalesce(sum(seconds), 0)::bigint, coalesce(sum(tokens), 0)::bigint,
         coalesce(sum(paid), 0)::bigint, coalesce(sum(earned), 0)::bigint
  FROM chosen
  UNION ALL
  (SELECT first_day, sum(started)::bigint, sum(ended)::bigint, sum(out_of_funds)::bigint,
          sum(blocks)::bigint, sum(seconds)::bigint, sum(tokens)::bigint, sum(paid)::bigint,
          sum(earned)::bigint
   FROM chosen WHERE first_day > %(after)s
   GROUP BY first_day ORDER BY first_day LIMIT %(limit)s)
)
SELECT p.position, r.* FROM projections p CROSS JOIN parts r
WHERE p.name = 'call_statistics' ORDER BY r.first_day NULLS FIRST;
