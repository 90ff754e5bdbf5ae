-- name: tables
-- Offers as they were published, as JSON, where and when in the log, and when one was withdrawn;
-- labels are those of the publication, as JSON. Pages may come in any order: what is known of a
-- withdrawal alone stands without terms.
CREATE TABLE {offers} (
  offer          text COLLATE "C" PRIMARY KEY,
  terms          text COLLATE "C",
  labels         text,
  withdrawn_at   timestamptz,
  created_at     timestamptz,
  updated_at     timestamptz NOT NULL,
  first_position bigint UNIQUE,
  last_position  bigint NOT NULL
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
INSERT INTO {offers} AS o
  (offer, terms, labels, created_at, updated_at, first_position, last_position)
VALUES (%(offer)s, %(terms)s, %(labels)s, %(at)s, %(at)s, %(position)s, %(position)s)
ON CONFLICT (offer) DO UPDATE SET
  terms = excluded.terms, labels = excluded.labels, created_at = excluded.created_at,
  updated_at = greatest(o.updated_at, excluded.updated_at),
  first_position = excluded.first_position,
  last_position = greatest(o.last_position, excluded.last_position);

-- name: withdraw
-- The end of an offer before its time.
INSERT INTO {offers} AS o (offer, withdrawn_at, updated_at, last_position)
VALUES (%(offer)s, %(withdrawn_at)s, %(at)s, %(position)s)
ON CONFLICT (offer) DO UPDATE SET
  withdrawn_at = excluded.withdrawn_at,
  updated_at = greatest(o.updated_at, excluded.updated_at),
  last_position = greatest(o.last_position, excluded.last_position);

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

-- name: one
-- One offer with the position it stands for; nulls where there is none.
SELECT p.position, o.*, coalesce(f.uses, 0), coalesce(f.revenue, 0), coalesce(f.discount, 0),
       coalesce(f.platform_discount, 0)
FROM projections p
LEFT JOIN {offers} o ON o.offer = %s AND o.terms IS NOT NULL
LEFT JOIN {offer_figures} f ON f.offer = o.offer
WHERE p.name = 'offers';
