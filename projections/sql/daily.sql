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
GRANT SELECT ON {days}, {day_products}, {day_payers}, {day_facts} TO tokenledger_auditor;

-- name: indexes
-- Every index comes with its table.
SELECT;

-- name: add_payers
-- Enter a page's payers; answers how many each day had not yet.
WITH fresh AS (
  INSERT INTO {day_payers} (day, user_id)
  SELECT date '2000-01-01' + k.day, k.user_id
  FROM unnest(%s::integer[], %s::text[]) AS k (day, user_id)
  ON CONFLICT DO NOTHING RETURNING day)
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

-- name: daily
-- The days of a range that have any figures, with the position they stand for; one row of nulls
-- where there is none.
SELECT c.position, d.day, d.token_sales, d.tokens_sold, d.token_sales_amount, d.tokens_granted,
       d.payers,
       (SELECT json_object_agg(s.product, json_build_object(
                 'count', s.count, 'gross', s.paid, 'tokens', s.tokens, 'tax', s.tax,
                 'creator_share', s.creator_share, 'platform_share', s.platform_share)
               ORDER BY s.product)
        FROM {day_products} s WHERE s.day = d.day),
       (SELECT json_object_agg(f.fact, json_build_object(
                 'count', f.count, 'amount', f.amount, 'tokens', f.tokens)
               ORDER BY f.fact)
        FROM {day_facts} f WHERE f.day = d.day)
FROM projections c
LEFT JOIN {days} d ON d.day BETWEEN %s AND %s
WHERE c.name = 'daily'
ORDER BY d.day;
