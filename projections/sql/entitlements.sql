-- name: tables
-- Who may use what, by the sale that entitles longest, until when (exclusive; null: for good), and
-- what every sale grants that was not undone: [[sale, until], ...].
CREATE TABLE {entitlements} (
  user_id     text COLLATE "C",
  item        text COLLATE "C",
  source      text COLLATE "C",
  sale        text COLLATE "C",
  valid_until timestamptz,
  revoked     boolean NOT NULL,
  grants      text COLLATE "C" NOT NULL,
  PRIMARY KEY (user_id, item)
) WITH (fillfactor = 90);
GRANT SELECT ON {entitlements} TO tokenledger_auditor;

-- name: indexes
-- Every index comes with its table.
SELECT;

-- name: load
-- The entitlements that a page changes, as they are.
SELECT e.user_id, e.item, e.source, e.sale, e.valid_until, e.revoked, e.grants
FROM unnest(%s::text[], %s::text[]) AS k (user_id, item)
JOIN {entitlements} e ON e.user_id = k.user_id AND e.item = k.item;

-- name: put
-- The entitlements that a page changed, as they are now.
INSERT INTO {entitlements} AS e (user_id, item, source, sale, valid_until, revoked, grants)
SELECT * FROM unnest(
  %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::boolean[],
  %s::text[])
ON CONFLICT (user_id, item) DO UPDATE SET
  source = excluded.source, sale = excluded.sale,
  valid_until = excluded.valid_until, revoked = excluded.revoked,
  grants = excluded.grants;

-- name: entitlement
-- One user's right to one item, with the position it stands for; nulls where there is none.
SELECT p.position, e.source, e.sale, e.valid_until, e.revoked
FROM projections p
LEFT JOIN {entitlements} e ON e.user_id = %s AND e.item = %s
WHERE p.name = 'entitlements';

-- name: library
-- What a user is or was entitled to, after an item, with the position it stands for; those in force
-- at a time where only they are wanted.
SELECT p.position, e.item, e.source, e.sale, e.valid_until, e.in_force
FROM projections p
LEFT JOIN LATERAL (
  SELECT item, source, sale, valid_until,
    NOT revoked AND coalesce(valid_until > %(now)s, true) AS in_force
  FROM {entitlements}
  WHERE user_id = %(user)s AND item > %(after)s
    AND (NOT %(only_in_force)s OR (NOT revoked AND coalesce(valid_until > %(now)s, true)))
  ORDER BY item LIMIT %(limit)s
) e ON true
WHERE p.name = 'entitlements'
ORDER BY e.item;

-- name: check
-- The rights that are in force at a time among pairs of users and items, in their order, with the
-- position it stands for.
SELECT p.position, asked.user_id, asked.item, e.source, e.sale, e.valid_until
FROM projections p
CROSS JOIN unnest(%(users)s::text[], %(items)s::text[]) WITH ORDINALITY
  AS asked (user_id, item, nth)
LEFT JOIN {entitlements} e ON e.user_id = asked.user_id AND e.item = asked.item
  AND NOT e.revoked AND coalesce(e.valid_until > %(now)s, true)
WHERE p.name = 'entitlements'
ORDER BY asked.nth;
