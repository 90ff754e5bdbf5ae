-- name: tables
-- Income, expense and sales of a business day by product, in minor units. Everything stands once
-- under the empty key; what belongs to a sale stands again under each key that brought it.
CREATE TABLE {revenue} (
  key             text COLLATE "C",
  day             date,
  value           text COLLATE "C",
  product         text COLLATE "C",
  count           bigint NOT NULL,
  gross           bigint NOT NULL,
  tax             bigint NOT NULL,
  creators        bigint NOT NULL,
  commission      bigint NOT NULL,
  margin          bigint NOT NULL,
  usage           bigint NOT NULL,
  fees            bigint NOT NULL,
  breakage        bigint NOT NULL,
  promotional     bigint NOT NULL,
  subscriptions   bigint NOT NULL,
  bad_debt        bigint NOT NULL,
  goodwill        bigint NOT NULL,
  processor_costs bigint NOT NULL,
  dispute_costs   bigint NOT NULL,
  discount        bigint NOT NULL,
  platform_discount bigint NOT NULL,
  PRIMARY KEY (key, day, value, product)
) WITH (fillfactor = 70);
GRANT SELECT ON {revenue} TO tokenledger_auditor;

-- name: indexes
-- Every index comes with its table.
SELECT;

-- name: add
-- What a page adds.
INSERT INTO {revenue} AS r (
  key, day, value, product, count, gross, tax, creators, commission, margin, usage, fees,
  breakage, promotional, subscriptions, bad_debt, goodwill, processor_costs, dispute_costs,
  discount, platform_discount)
SELECT m.key, date '2000-01-01' + m.day, m.value, m.product,
       m.count, m.gross, m.tax, m.creators, m.commission, m.margin, m.usage, m.fees,
       m.breakage, m.promotional, m.subscriptions, m.bad_debt, m.goodwill, m.processor_costs,
       m.dispute_costs, m.discount, m.platform_discount
FROM unnest(%s::text[], %s::integer[], %s::text[], %s::text[],
            %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
            %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
            %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
  AS m (key, day, value, product,
        count, gross, tax, creators, commission, margin, usage, fees, breakage, promotional,
        subscriptions, bad_debt, goodwill, processor_costs, dispute_costs, discount,
        platform_discount)
ON CONFLICT (key, day, value, product) DO UPDATE SET
  count = r.count + excluded.count,
  gross = r.gross + excluded.gross,
  tax = r.tax + excluded.tax,
  creators = r.creators + excluded.creators,
  commission = r.commission + excluded.commission,
  margin = r.margin + excluded.margin,
  usage = r.usage + excluded.usage,
  fees = r.fees + excluded.fees,
  breakage = r.breakage + excluded.breakage,
  promotional = r.promotional + excluded.promotional,
  subscriptions = r.subscriptions + excluded.subscriptions,
  bad_debt = r.bad_debt + excluded.bad_debt,
  goodwill = r.goodwill + excluded.goodwill,
  processor_costs = r.processor_costs + excluded.processor_costs,
  dispute_costs = r.dispute_costs + excluded.dispute_costs,
  discount = r.discount + excluded.discount,
  platform_discount = r.platform_discount + excluded.platform_discount;

-- name: grouped
-- Of the days of a range: all figures together (part 0), what stands under the key and value asked
-- for together (part 1), and by the group asked for, one page of it (part 2).
WITH chosen AS (
  SELECT CASE %(by)s WHEN 'product' THEN product WHEN 'value' THEN value
         ELSE to_char(date_trunc(%(by)s, day::timestamp), 'YYYY-MM-DD') END COLLATE "C" AS name,
         count, gross, tax, creators, commission, margin, usage, fees, breakage, promotional,
         subscriptions, bad_debt, goodwill, processor_costs, dispute_costs, discount,
         platform_discount
  FROM {revenue}
  WHERE key = %(key)s AND day BETWEEN %(first)s AND %(last)s
    AND (%(value)s::text IS NULL OR value = %(value)s)
), parts AS (
  SELECT 0 AS part, NULL AS name,
         sum(count)::bigint AS count, sum(gross)::bigint AS gross, sum(tax)::bigint AS tax,
         sum(creators)::bigint AS creators, sum(commission)::bigint AS commission,
         sum(margin)::bigint AS margin, sum(usage)::bigint AS usage, sum(fees)::bigint AS fees,
         sum(breakage)::bigint AS breakage, sum(promotional)::bigint AS promotional,
         sum(subscriptions)::bigint AS subscriptions, sum(bad_debt)::bigint AS bad_debt,
         sum(goodwill)::bigint AS goodwill, sum(processor_costs)::bigint AS processor_costs,
         sum(dispute_costs)::bigint AS dispute_costs, sum(discount)::bigint AS discount,
         sum(platform_discount)::bigint AS platform_discount
  FROM {revenue} WHERE key = '' AND day BETWEEN %(first)s AND %(last)s
  UNION ALL
  SELECT 1, NULL,
         sum(count)::bigint, sum(gross)::bigint, sum(tax)::bigint, sum(creators)::bigint,
         sum(commission)::bigint, sum(margin)::bigint, sum(usage)::bigint, sum(fees)::bigint,
         sum(breakage)::bigint, sum(promotional)::bigint, sum(subscriptions)::bigint,
         sum(bad_debt)::bigint, sum(goodwill)::bigint, sum(processor_costs)::bigint,
         sum(dispute_costs)::bigint, sum(discount)::bigint, sum(platform_discount)::bigint
  FROM chosen
  UNION ALL
  (SELECT 2, name,
          sum(count)::bigint, sum(gross)::bigint, sum(tax)::bigint, sum(creators)::bigint,
          sum(commission)::bigint, sum(margin)::bigint, sum(usage)::bigint, sum(fees)::bigint,
          sum(breakage)::bigint, sum(promotional)::bigint, sum(subscriptions)::bigint,
          sum(bad_debt)::bigint, sum(goodwill)::bigint, sum(processor_costs)::bigint,
          sum(dispute_costs)::bigint, sum(discount)::bigint, sum(platform_discount)::bigint
   FROM chosen WHERE name > %(after)s
   GROUP BY name ORDER BY name LIMIT %(limit)s)
)
SELECT p.position, r.* FROM projections p LEFT JOIN parts r ON true
WHERE p.name = 'revenue' ORDER BY r.part, r.name;
