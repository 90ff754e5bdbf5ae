-- name: tables
-- What the platform owes each creator, by bucket, as the postings leave it, and what was earned
-- with all sources.
CREATE TABLE {creators} (
  creator   text COLLATE "C" PRIMARY KEY,
  pending   bigint NOT NULL,
  available bigint NOT NULL,
  reserved  bigint NOT NULL,
  in_payout bigint NOT NULL,
  earned    bigint NOT NULL
) WITH (fillfactor = 70);
-- What it was earned with. paid: after discount, VAT included; paid = tax + commission + net.
-- Net of what refunds and lost disputes took back of `paid`, which stands beside it.
CREATE TABLE {creator_sources} (
  creator    text COLLATE "C",
  source     text COLLATE "C",
  count      bigint NOT NULL,
  paid       bigint NOT NULL,
  tax        bigint NOT NULL,
  commission bigint NOT NULL,
  net        bigint NOT NULL,
  tokens     bigint NOT NULL,
  refunds    bigint NOT NULL,
  disputes   bigint NOT NULL,
  PRIMARY KEY (creator, source)
) WITH (fillfactor = 70);
-- The same of sales with labels, by each of them.
CREATE TABLE {creator_labels} (
  creator    text COLLATE "C",
  key        text COLLATE "C",
  value      text COLLATE "C",
  source     text COLLATE "C",
  count      bigint NOT NULL,
  paid       bigint NOT NULL,
  tax        bigint NOT NULL,
  commission bigint NOT NULL,
  net        bigint NOT NULL,
  tokens     bigint NOT NULL,
  refunds    bigint NOT NULL,
  disputes   bigint NOT NULL,
  PRIMARY KEY (creator, key, value, source)
) WITH (fillfactor = 70);
-- The same by business day, a refund or a dispute on its own. Everything stands once under the
-- empty key; sales with labels or an attribution stand again under each of them.
CREATE TABLE {creator_days} (
  creator    text COLLATE "C",
  key        text COLLATE "C",
  day        date,
  value      text COLLATE "C",
  source     text COLLATE "C",
  count      bigint NOT NULL,
  paid       bigint NOT NULL,
  tax        bigint NOT NULL,
  commission bigint NOT NULL,
  net        bigint NOT NULL,
  tokens     bigint NOT NULL,
  refunds    bigint NOT NULL,
  disputes   bigint NOT NULL,
  PRIMARY KEY (creator, key, day, value, source)
) WITH (fillfactor = 70);
GRANT SELECT ON {creators}, {creator_sources}, {creator_labels}, {creator_days}
  TO tokenledger_auditor;

-- name: indexes
-- How creators are listed.
CREATE INDEX ON {creators} (available, creator);
CREATE INDEX ON {creators} (earned, creator);

-- name: add_balances
-- What a page adds to each creator's buckets.
INSERT INTO {creators} AS c (creator, pending, available, reserved, in_payout, earned)
SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
                     %s::bigint[])
ON CONFLICT (creator) DO UPDATE SET
  pending = c.pending + excluded.pending,
  available = c.available + excluded.available,
  reserved = c.reserved + excluded.reserved,
  in_payout = c.in_payout + excluded.in_payout,
  earned = c.earned + excluded.earned;

-- name: add_sources
-- What a page adds to each creator's sources.
INSERT INTO {creator_sources} AS s (
  creator, source, count, paid, tax, commission, net, tokens, refunds, disputes)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[],
                     %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
ON CONFLICT (creator, source) DO UPDATE SET
  count = s.count + excluded.count,
  paid = s.paid + excluded.paid,
  tax = s.tax + excluded.tax,
  commission = s.commission + excluded.commission,
  net = s.net + excluded.net,
  tokens = s.tokens + excluded.tokens,
  refunds = s.refunds + excluded.refunds,
  disputes = s.disputes + excluded.disputes;

-- name: add_labels
-- What a page adds to each creator's sources by label.
INSERT INTO {creator_labels} AS l (
  creator, key, value, source, count, paid, tax, commission, net, tokens, refunds, disputes)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[],
                     %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
                     %s::bigint[])
ON CONFLICT (creator, key, value, source) DO UPDATE SET
  count = l.count + excluded.count,
  paid = l.paid + excluded.paid,
  tax = l.tax + excluded.tax,
  commission = l.commission + excluded.commission,
  net = l.net + excluded.net,
  tokens = l.tokens + excluded.tokens,
  refunds = l.refunds + excluded.refunds,
  disputes = l.disputes + excluded.disputes;

-- name: add_days
-- What a page adds to each creator's days.
INSERT INTO {creator_days} AS d (
  creator, key, day, value, source,
  count, paid, tax, commission, net, tokens, refunds, disputes)
SELECT m.creator, m.key, date '2000-01-01' + m.day, m.value, m.source,
       m.count, m.paid, m.tax, m.commission, m.net, m.tokens, m.refunds, m.disputes
FROM unnest(%s::text[], %s::text[], %s::integer[], %s::text[], %s::text[], %s::bigint[],
            %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
            %s::bigint[])
  AS m (creator, key, day, value, source,
        count, paid, tax, commission, net, tokens, refunds, disputes)
ON CONFLICT (creator, key, day, value, source) DO UPDATE SET
  count = d.count + excluded.count,
  paid = d.paid + excluded.paid,
  tax = d.tax + excluded.tax,
  commission = d.commission + excluded.commission,
  net = d.net + excluded.net,
  tokens = d.tokens + excluded.tokens,
  refunds = d.refunds + excluded.refunds,
  disputes = d.disputes + excluded.disputes;

-- name: one_moment
-- What a transaction reads stands for one moment.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;

-- name: grouped_days
-- What one creator's days of a range brought by source (all, and under the key and value asked for)
-- and by the group asked for, each source or group of days once.
WITH days AS (
  SELECT * FROM {creator_days}
  WHERE creator = %(creator)s AND key IN ('', %(key)s) AND day BETWEEN %(first)s AND %(last)s
), named AS (
  SELECT 'all' AS part, source AS name, days.* FROM days WHERE key = ''
  UNION ALL
  SELECT 'source', source, days.* FROM days
  WHERE key = %(key)s AND (%(value)s::text IS NULL OR value = %(value)s)
  UNION ALL
  SELECT 'group', CASE WHEN %(by)s = 'value' THEN value ELSE
           to_char(date_trunc(%(by)s, day::timestamp), 'YYYY-MM-DD') END, days.*
  FROM days
  WHERE %(by)s <> 'source' AND key = %(key)s AND (%(value)s::text IS NULL OR value = %(value)s)
)
SELECT part, name COLLATE "C", sum(count)::bigint, sum(paid)::bigint, sum(tax)::bigint,
       sum(commission)::bigint, sum(net)::bigint, sum(tokens)::bigint, sum(refunds)::bigint,
       sum(disputes)::bigint
FROM named GROUP BY part, name COLLATE "C" ORDER BY 1, 2;

-- name: earnings
-- One creator's balances and sources with the position they stand for; of the sales with one
-- label the sources, and of one label's key the values, those that brought most first.
SELECT p.position, c.pending, c.available, c.reserved, c.in_payout,
       (SELECT json_agg(json_build_object(
                 'source', s.source, 'count', s.count, 'gross', s.paid,
                 'tax', s.tax, 'commission', s.commission, 'net', s.net, 'tokens', s.tokens,
                 'refunds', s.refunds, 'disputes', s.disputes)
               ORDER BY s.source)
        FROM {creator_sources} s WHERE s.creator = k.creator),
       (SELECT json_agg(json_build_object(
                 'source', l.source, 'count', l.count, 'gross', l.paid,
                 'tax', l.tax, 'commission', l.commission, 'net', l.net, 'tokens', l.tokens,
                 'refunds', l.refunds, 'disputes', l.disputes)
               ORDER BY l.source)
        FROM {creator_labels} l
        WHERE l.creator = k.creator AND l.key = %(key)s AND l.value = %(value)s),
       (SELECT json_agg(json_build_object(
                 'value', g.value, 'count', g.count, 'gross', g.gross,
                 'tax', g.tax, 'commission', g.commission, 'net', g.net, 'tokens', g.tokens,
                 'refunds', g.refunds, 'disputes', g.disputes)
               ORDER BY g.gross DESC, g.value)
        FROM (
          SELECT l.value, sum(l.count) AS count, sum(l.paid) AS gross, sum(l.tax) AS tax,
                 sum(l.commission) AS commission, sum(l.net) AS net, sum(l.tokens) AS tokens,
                 sum(l.refunds) AS refunds, sum(l.disputes) AS disputes
          FROM {creator_labels} l WHERE l.creator = k.creator AND l.key = %(group)s
          GROUP BY l.value ORDER BY gross DESC, l.value LIMIT %(groups)s
        ) g)
FROM projections p
CROSS JOIN (SELECT %(creator)s::text COLLATE "C" AS creator) k
LEFT JOIN {creators} c ON c.creator = k.creator
WHERE p.name = 'earnings';

-- name: top
-- The creators who have earned most; ties by name.
SELECT creator, sum(net)::bigint, sum(count)::bigint FROM {creator_sources}
GROUP BY creator ORDER BY sum(net) DESC, creator LIMIT %s;
