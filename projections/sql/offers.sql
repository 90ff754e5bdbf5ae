-- name: tables
-- Offers as they were published, as JSON, where in the log, and when one was withdrawn.
CREATE TABLE {offers} (
  offer          text COLLATE "C" PRIMARY KEY,
  terms          text COLLATE "C",
  first_position bigint UNIQUE,
  withdrawn_at   timestamptz
);
-- What became of them. revenue: after discount, tax and what the platform pays included, net of
-- what went back; the discounts are those of all sales. Amounts are minor units.
CREATE TABLE {offer_figures} (
  offer             text COLLATE "C" PRIMARY KEY,
  uses              bigint NOT NULL,
  revenue           bigint NOT NULL,
  discount          bigint NOT NULL,
  platform_discount bigint NOT NULL
) WITH (fillfactor = 70);
-- The sales that were made with an offer, and what is left of each in its revenue.
CREATE TABLE {offer_sales} (
  sale    text COLLATE "C" PRIMARY KEY,
  offer   text COLLATE "C" NOT NULL,
  revenue bigint NOT NULL
) WITH (fillfactor = 90);
GRANT SELECT ON {offers}, {offer_figures}, {offer_sales} TO tokenledger_auditor;

-- name: indexes
-- Every index comes with its table.
SELECT;

-- name: publish
-- An offer.
INSERT INTO {offers} (offer, terms, first_position) VALUES (%s, %s, %s)
ON CONFLICT (offer) DO UPDATE SET
  terms = excluded.terms, first_position = excluded.first_position;

-- name: withdraw
-- The end of an offer before its time.
INSERT INTO {offers} (offer, withdrawn_at) VALUES (%s, %s)
ON CONFLICT (offer) DO UPDATE SET withdrawn_at = excluded.withdrawn_at;

-- name: add_sales
-- Sales of a page that were made with an offer.
INSERT INTO {offer_sales} (sale, offer, revenue)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[]);

-- name: sales
-- Those of some sales that were made with an offer.
SELECT s.sale, s.offer, s.revenue FROM unnest(%s::text[]) AS k (sale)
JOIN {offer_sales} s ON s.sale = k.sale;

-- name: restate
-- What is left of sales after a page.
UPDATE {offer_sales} s SET revenue = k.revenue
FROM unnest(%s::text[], %s::bigint[]) AS k (sale, revenue) WHERE s.sale = k.sale;

-- name: add_figures
-- What a page adds to each offer.
INSERT INTO {offer_figures} AS f (offer, uses, revenue, discount, platform_discount)
SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
ON CONFLICT (offer) DO UPDATE SET
  uses = f.uses + excluded.uses,
  revenue = f.revenue + excluded.revenue,
  discount = f.discount + excluded.discount,
  platform_discount = f.platform_discount + excluded.platform_discount;

-- name: first
-- Offers published after a place in the log, with the position they stand for; nulls without any.
SELECT p.position, o.offer, o.terms, o.first_position, o.withdrawn_at, coalesce(f.uses, 0),
       coalesce(f.revenue, 0), coalesce(f.discount, 0), coalesce(f.platform_discount, 0)
FROM projections p
LEFT JOIN (
  SELECT * FROM {offers} WHERE first_position > coalesce(%s::bigint, 0)
  ORDER BY first_position LIMIT %s
) o ON true
LEFT JOIN {offer_figures} f ON f.offer = o.offer
WHERE p.name = 'offers'
ORDER BY o.first_position;

-- name: last
-- Offers published before a place in the log, the last one first.
SELECT p.position, o.offer, o.terms, o.first_position, o.withdrawn_at, coalesce(f.uses, 0),
       coalesce(f.revenue, 0), coalesce(f.discount, 0), coalesce(f.platform_discount, 0)
FROM projections p
LEFT JOIN (
  SELECT * FROM {offers} WHERE first_position < coalesce(%s::bigint, 9223372036854775807)
  ORDER BY first_position DESC LIMIT %s
) o ON true
LEFT JOIN {offer_figures} f ON f.offer = o.offer
WHERE p.name = 'offers'
ORDER BY o.first_position DESC;

-- name: one
-- One offer with the position it stands for; nulls where there is none.
SELECT p.position, o.offer, o.terms, o.first_position, o.withdrawn_at, coalesce(f.uses, 0),
       coalesce(f.revenue, 0), coalesce(f.discount, 0), coalesce(f.platform_discount, 0)
FROM projections p
LEFT JOIN {offers} o ON o.offer = %s AND o.terms IS NOT NULL
LEFT JOIN {offer_figures} f ON f.offer = o.offer
WHERE p.name = 'offers';
