-- name: tables
-- Whoever has paid for a sale: the tier of the last change, what all sales have left, net of what
-- went back, when the last thing happened that counts, and how the tier changes next if nothing
-- does: when, to which, and what was spent by then within the window. Amounts are minor units.
CREATE TABLE {tiers} (
  user_id        text COLLATE "C" PRIMARY KEY,
  tier           text COLLATE "C" NOT NULL,
  changed_at     timestamptz,
  spent          bigint NOT NULL,
  sold_at        timestamptz,
  as_of          timestamptz NOT NULL,
  erased         boolean NOT NULL,
  changes_at     timestamptz,
  changes_to     text COLLATE "C",
  changes_spend  bigint,
  changes_window int,
  created_at     timestamptz NOT NULL,
  updated_at     timestamptz NOT NULL,
  first_position bigint NOT NULL,
  last_position  bigint NOT NULL
) WITH (fillfactor = 70);
-- The sales of each, by their own time. before: what all earlier ones have left.
CREATE TABLE {tier_sales} (
  user_id  text COLLATE "C",
  at       timestamptz,
  position bigint,
  left_of  bigint NOT NULL,
  before   bigint NOT NULL,
  PRIMARY KEY (user_id, at, position)
);
-- The ladders of the policies, in the order of their publication; steps as JSON.
CREATE TABLE {tier_ladders} (
  version        bigint PRIMARY KEY,
  effective_from timestamptz NOT NULL,
  ladder         text COLLATE "C" NOT NULL
);
GRANT SELECT ON {tiers}, {tier_sales}, {tier_ladders} TO tokenledger_auditor;

-- name: indexes
-- What is due, the members of a tier, and how far back a sum of sales reaches.
CREATE INDEX ON {tiers} (changes_at, user_id) WHERE changes_at IS NOT NULL;
CREATE INDEX ON {tiers} (tier, first_position);
CREATE INDEX ON {tier_sales} (user_id, before, at, position);

-- name: load
-- The rows of some users.
SELECT t.* FROM unnest(%s::text[]) AS k (user_id) JOIN {tiers} t ON t.user_id = k.user_id;

-- name: load_after
-- A page of all rows, by user.
SELECT * FROM {tiers} WHERE user_id > %s ORDER BY user_id LIMIT %s;

-- name: put
-- Rows as a page leaves them.
INSERT INTO {tiers}
SELECT * FROM unnest(
  %s::text[], %s::text[], %s::timestamptz[], %s::bigint[], %s::timestamptz[], %s::timestamptz[],
  %s::boolean[], %s::timestamptz[], %s::text[], %s::bigint[], %s::int[], %s::timestamptz[],
  %s::timestamptz[], %s::bigint[], %s::bigint[])
ON CONFLICT (user_id) DO UPDATE SET
  tier = excluded.tier, changed_at = excluded.changed_at, spent = excluded.spent,
  sold_at = excluded.sold_at, as_of = excluded.as_of, erased = excluded.erased,
  changes_at = excluded.changes_at, changes_to = excluded.changes_to,
  changes_spend = excluded.changes_spend, changes_window = excluded.changes_window,
  updated_at = excluded.updated_at, last_position = excluded.last_position;

-- name: ladders
-- All ladders, in the order of their publication.
SELECT effective_from, ladder FROM {tier_ladders} ORDER BY version;

-- name: add_ladder
-- The ladder of a policy.
INSERT INTO {tier_ladders} (version, effective_from, ladder) VALUES (%s, %s, %s);

-- name: add_sales
-- Sales of a page.
INSERT INTO {tier_sales} (user_id, at, position, left_of, before)
SELECT * FROM unnest(%s::text[], %s::timestamptz[], %s::bigint[], %s::bigint[], %s::bigint[]);

-- name: restate
-- What is left of sales after a page.
UPDATE {tier_sales} s SET left_of = k.left_of
FROM unnest(%s::text[], %s::timestamptz[], %s::bigint[], %s::bigint[])
  AS k (user_id, at, position, left_of)
WHERE s.user_id = k.user_id AND s.at = k.at AND s.position = k.position;

-- name: sum_up
-- Sum up the sales of some users anew, each from a time on; answers what all have left.
WITH told AS MATERIALIZED (
  SELECT k.user_id, k.since, coalesce(b.before + b.left_of, 0) AS base
  FROM unnest(%s::text[], %s::timestamptz[]) AS k (user_id, since)
  LEFT JOIN LATERAL (
    SELECT s.before, s.left_of FROM {tier_sales} s WHERE s.user_id = k.user_id AND s.at < k.since
    ORDER BY s.at DESC, s.position DESC LIMIT 1
  ) b ON true
), summed AS MATERIALIZED (
  SELECT s.user_id, s.at, s.position, s.left_of,
         t.base + (sum(s.left_of) OVER (PARTITION BY s.user_id ORDER BY s.at, s.position))::bigint
           - s.left_of AS before
  FROM told t JOIN {tier_sales} s ON s.user_id = t.user_id AND s.at >= t.since
), written AS (
  UPDATE {tier_sales} s SET before = n.before FROM summed n
  WHERE s.user_id = n.user_id AND s.at = n.at AND s.position = n.position AND s.before <> n.before
)
SELECT user_id, max(before + left_of) FROM summed GROUP BY user_id;

-- name: gone
-- Of some users, what all sales up to a time have left.
SELECT k.user_id, coalesce(
  (SELECT s.before + s.left_of FROM {tier_sales} s WHERE s.user_id = k.user_id AND s.at <= k.until
   ORDER BY s.at DESC, s.position DESC LIMIT 1), 0)
FROM unnest(%s::text[], %s::timestamptz[]) AS k (user_id, until);

-- name: reaching
-- Of some users, the last time from which on the sales have left all but a sum of the whole, and
-- what those up to and with that time have left.
SELECT k.user_id, f.at,
  (SELECT s.before + s.left_of FROM {tier_sales} s WHERE s.user_id = k.user_id AND s.at = f.at
   ORDER BY s.position DESC LIMIT 1)
FROM unnest(%s::text[], %s::bigint[]) AS k (user_id, but)
CROSS JOIN LATERAL (
  SELECT s.at FROM {tier_sales} s WHERE s.user_id = k.user_id AND s.before <= k.but
  ORDER BY s.before DESC, s.at DESC, s.position DESC LIMIT 1
) f;
