-- name: snapshot
-- What follows in the transaction is read as of one moment.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- name: positions
-- How far every read model is.
SELECT name, position FROM projections WHERE right(name, 6) <> '__next';

-- name: accounts
-- All accounts of an asset together.
SELECT asset, sum(balance)::bigint FROM {accounts} GROUP BY asset;

-- name: wallets
-- All wallets together: paid tokens that are free and held, promotional ones, and those issued.
SELECT sum(free_paid)::bigint, sum(held_paid)::bigint,
       sum(free_promo)::bigint, sum(held_promo)::bigint,
       sum(free_paid + held_paid)::bigint, sum(free_promo + held_promo)::bigint
FROM {wallets};

-- name: creators
-- What all creators are owed, by bucket.
SELECT sum(pending)::bigint, sum(available)::bigint,
       sum(reserved)::bigint, sum(in_payout)::bigint
FROM {creators};

-- name: payouts
-- What is on its way to creators.
SELECT sum(gross)::bigint FROM {payouts} WHERE status = ANY (%s::text[]);

-- name: disputes
-- What banks have taken and nobody has decided on.
SELECT sum(amount)::bigint FROM {disputes} WHERE status = ANY (%s::text[]);

-- name: suspense
-- What waits for a person, by currency; null: the book's. Of breaks, that of the lines whose
-- payments the ledger does not know.
SELECT currency, sum(amount)::bigint FROM (
  SELECT currency, in_suspense AS amount FROM {notices} WHERE in_suspense <> 0
  UNION ALL
  SELECT NULL, suspense FROM {breaks} WHERE status = 'OPEN'
) waiting GROUP BY currency;

-- name: revenue
-- Income and expense of all days together.
SELECT sum(commission)::bigint, sum(margin)::bigint, sum(usage)::bigint, sum(fees)::bigint,
       sum(breakage)::bigint, sum(promotional)::bigint, sum(subscriptions)::bigint,
       sum(bad_debt)::bigint, sum(goodwill)::bigint, sum(processor_costs)::bigint,
       sum(dispute_costs)::bigint
FROM {revenue} WHERE key = '';

-- name: wallets_differing
-- How many wallets are not what the accounts of their users say, and how many are below zero.
WITH posted AS (
  SELECT split_part(account, '.', 2) AS user_id, split_part(account, '.', 3) AS part, asset,
         -balance AS tokens
  FROM {accounts} WHERE account LIKE 'w.%%'
), kept AS (
  SELECT user_id, part, asset, tokens FROM {wallets} CROSS JOIN LATERAL (VALUES
    ('free', %(paid)s, free_paid), ('free', %(promo)s, free_promo),
    ('held', %(paid)s, held_paid), ('held', %(promo)s, held_promo)) each (part, asset, tokens)
)
SELECT count(DISTINCT user_id) FILTER (
         WHERE coalesce(kept.tokens, 0) <> coalesce(posted.tokens, 0)),
       count(DISTINCT user_id) FILTER (WHERE kept.tokens < 0)
FROM kept FULL JOIN posted USING (user_id, part, asset);

-- name: creators_differing
-- How many creators are not owed what their accounts say.
WITH posted AS (
  SELECT split_part(account, '.', 2) AS creator, split_part(account, '.', 3) AS bucket,
         -balance AS owed
  FROM {accounts} WHERE account LIKE 'cr.%%' AND asset = %(currency)s
), kept AS (
  SELECT creator, bucket, owed FROM {creators} CROSS JOIN LATERAL (VALUES
    ('pending', pending), ('available', available), ('reserved', reserved),
    ('payout', in_payout)) each (bucket, owed)
)
SELECT count(DISTINCT creator) FILTER (
  WHERE coalesce(kept.owed, 0) <> coalesce(posted.owed, 0))
FROM kept FULL JOIN posted USING (creator, bucket);
