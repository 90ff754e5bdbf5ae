-- name: tables
-- Figures of a business day. Amounts in minor units; payers bought tokens or paid for a sale.
CREATE TABLE {days} (
  day                date PRIMARY KEY,
  token_sales        bigint NOT NULL,
  tokens_sold        bigint NOT NULL,
  token_sales_amount bigint NOT NULL,
  tokens_granted     bigint NOT NULL,
  payers             bigint NOT NULL
);
-- Sales of a business day by product. paid: after discount, VAT included.
CREATE TABLE {day_products} (
  day            date,
  product        text COLLATE "C",
  count          bigint NOT NULL,
  paid           bigint NOT NULL,
  tokens         bigint NOT NULL,
  tax            bigint NOT NULL,
  creator_share  bigint NOT NULL,
  platform_share bigint NOT NULL,
  PRIMARY KEY (day, product)
);
-- Who has been counted among a day's payers.
CREATE TABLE {day_payers} (
  day     date,
  user_id text COLLATE "C",
  PRIMARY KEY (day, user_id)
);
-- What else happened on a business day, by kind.
CREATE TABLE {day_facts} (
  day    date,
  fact   text COLLATE "C",
  count  bigint NOT NULL,
  amount bigint NOT NULL,
  tokens bigint NOT NULL,
  PRIMARY KEY (day, fact)
);
-- Tips of a business day by stream; those without one are left out.
CREATE TABLE {day_streams} (
  day    date,
  stream text COLLATE "C",
  count  bigint NOT NULL,
  paid   bigint NOT NULL,
  tokens bigint NOT NULL,
  PRIMARY KEY (day, stream)
);
-- Who has been counted among the payers of a week or a month, which its first day names.
CREATE TABLE {period_payers} (
  unit      text COLLATE "C",
  first_day date,
  user_id   text COLLATE "C",
  PRIMARY KEY (unit, first_day, user_id)
);
-- How many they are.
CREATE TABLE {period_payer_counts} (
  unit      text COLLATE "C",
  first_day date,
  payers    bigint NOT NULL,
  PRIMARY KEY (unit, first_day)
);
GRANT SELECT ON {days}, {day_products}, {day_payers}, {day_facts}, {day_streams},
  {period_payers}, {period_payer_counts} TO tokenledger_auditor;

-- name: indexes
-- Every index comes with its table.
SELECT;

-- name: add_payers
-- Enter a page's payers, also by week and month; answers how many each day had not yet.
WITH fresh AS (
  INSERT INTO {day_payers} (day, user_id)
  SELECT date '2000-01-01' + k.day, k.user_id
  FROM unnest(%s::integer[], %s::text[]) AS k (day, user_id)
  ON CONFLICT DO NOTHING RETURNING day, user_id
), longer AS (
  INSERT INTO {period_payers} (unit, first_day, user_id)
  SELECT DISTINCT u.unit, date_trunc(u.unit, f.day::timestamp)::date, f.user_id
  FROM fresh f CROSS JOIN (VALUES ('week'), ('month')) AS u (unit)
  ORDER BY 1, 2, 3
  ON CONFLICT DO NOTHING RETURNING unit, first_day
), counted AS (
  INSERT INTO {period_payer_counts} AS c (unit, first_day, payers)
  SELECT unit, first_day, count(*) FROM longer GROUP BY unit, first_day ORDER BY 1, 2
  ON CONFLICT (unit, first_day) DO UPDATE SET payers = c.payers + excluded.payers
)
SELECT day - date '2000-01-01', count(*) FROM fresh GROUP BY day;

-- name: add_days
-- What a page adds to each day.
INSERT INTO {days} AS d (
  day, token_sales, tokens_sold, token_sales_amount, tokens_granted, payers)
SELECT date '2000-01-01' + m.day, m.sales, m.tokens, m.amount, m.granted, m.payers
FROM unnest(%s::integer[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
  AS m (day, sales, tokens, amount, granted, payers)
ON CONFLICT (day) DO UPDATE SET
  token_sales = d.token_sales + excluded.token_sales,
  tokens_sold = d.tokens_sold + excluded.tokens_sold,
  token_sales_amount = d.token_sales_amount + excluded.token_sales_amount,
  tokens_granted = d.tokens_granted + excluded.tokens_granted,
  payers = d.payers + excluded.payers;

-- name: add_products
-- What a page adds to each day's products.
INSERT INTO {day_products} AS p (
  day, product, count, paid, tokens, tax, creator_share, platform_share)
SELECT date '2000-01-01' + m.day, m.product, m.count, m.paid, m.tokens, m.tax,
       m.creator, m.platform
FROM unnest(%s::integer[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
            %s::bigint[], %s::bigint[])
  AS m (day, product, count, paid, tokens, tax, creator, platform)
ON CONFLICT (day, product) DO UPDATE SET
  count = p.count + excluded.count,
  paid = p.paid + excluded.paid,
  tokens = p.tokens + excluded.tokens,
  tax = p.tax + excluded.tax,
  creator_share = p.creator_share + excluded.creator_share,
  platform_share = p.platform_share + excluded.platform_share;

-- name: add_facts
-- What a page adds to each day's facts.
INSERT INTO {day_facts} AS f (day, fact, count, amount, tokens)
SELECT date '2000-01-01' + m.day, m.fact, m.count, m.amount, m.tokens
FROM unnest(%s::integer[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[])
  AS m (day, fact, count, amount, tokens)
ON CONFLICT (day, fact) DO UPDATE SET
  count = f.count + excluded.count,
  amount = f.amount + excluded.amount,
  tokens = f.tokens + excluded.tokens;

-- name: add_streams
-- What a page adds to each day's streams.
INSERT INTO {day_streams} AS s (day, stream, count, paid, tokens)
SELECT date '2000-01-01' + m.day, m.stream, m.count, m.paid, m.tokens
FROM unnest(%s::integer[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[])
  AS m (day, stream, count, paid, tokens)
ON CONFLICT (day, stream) DO UPDATE SET
  count = s.count + excluded.count,
  paid = s.paid + excluded.paid,
  tokens = s.tokens + excluded.tokens;

-- name: figures
-- The days, weeks or months of a range that have any figures, with the position they stand for; one
-- row of nulls where there is none. Of the streams, those with the most tips.
SELECT c.position, u.first_day, u.last_day, u.token_sales, u.tokens_sold, u.token_sales_amount,
       u.tokens_granted, u.payers,
       (SELECT json_object_agg(s.product, json_build_object(
                 'count', s.count, 'gross', s.paid, 'tokens', s.tokens, 'tax', s.tax,
                 'creator_share', s.creator_share, 'platform_share', s.platform_share)
               ORDER BY s.product)
        FROM (
          SELECT product, sum(count)::bigint AS count, sum(paid)::bigint AS paid,
                 sum(tokens)::bigint AS tokens, sum(tax)::bigint AS tax,
                 sum(creator_share)::bigint AS creator_share,
                 sum(platform_share)::bigint AS platform_share
          FROM {day_products} WHERE day BETWEEN u.first_day AND u.last_day GROUP BY product
        ) s),
       (SELECT json_object_agg(f.fact, json_build_object(
                 'count', f.count, 'amount', f.amount, 'tokens', f.tokens)
               ORDER BY f.fact)
        FROM (
          SELECT fact, sum(count)::bigint AS count, sum(amount)::bigint AS amount,
                 sum(tokens)::bigint AS tokens
          FROM {day_facts} WHERE day BETWEEN u.first_day AND u.last_day GROUP BY fact
        ) f),
       (SELECT json_agg(json_build_object(
                 'stream', t.stream, 'count', t.count, 'amount', t.paid, 'tokens', t.tokens)
               ORDER BY t.paid DESC, t.stream)
        FROM (
          SELECT stream, sum(count)::bigint AS count, sum(paid)::bigint AS paid,
                 sum(tokens)::bigint AS tokens
          FROM {day_streams} WHERE day BETWEEN u.first_day AND u.last_day
          GROUP BY stream ORDER BY paid DESC, stream LIMIT %(streams)s
        ) t)
FROM projections c
LEFT JOIN (
  SELECT d.first_day, (d.first_day + ('1 ' || %(unit)s)::interval)::date - 1 AS last_day,
         d.token_sales, d.tokens_sold, d.token_sales_amount, d.tokens_granted,
         CASE WHEN %(unit)s = 'day' THEN d.payers ELSE coalesce(p.payers, 0) END AS payers
  FROM (
    SELECT date_trunc(%(unit)s, day::timestamp)::date AS first_day,
           sum(token_sales)::bigint AS token_sales, sum(tokens_sold)::bigint AS tokens_sold,
           sum(token_sales_amount)::bigint AS token_sales_amount,
           sum(tokens_granted)::bigint AS tokens_granted, sum(payers)::bigint AS payers
    FROM {days} WHERE day BETWEEN %(first)s AND %(last)s GROUP BY 1
  ) d
  LEFT JOIN {period_payer_counts} p ON p.unit = %(unit)s AND p.first_day = d.first_day
) u ON true
WHERE c.name = 'daily'
ORDER BY u.first_day;
