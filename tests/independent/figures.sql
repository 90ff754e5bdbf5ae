-- What the service should answer, from the log alone: DuckDB, over entries as `GET /events` gives
-- them. `entries` holds a row for each: position, type, effective_on, recorded_at, tags, body,
-- postings, labels.

-- name: views
-- Postings, sales, and what is left of them.
CREATE VIEW legs AS
SELECT position, type, effective_on, recorded_at, leg[1] AS account, leg[2] AS asset,
       leg[3]::BIGINT AS amount
FROM (SELECT *, unnest(from_json(postings, '[["VARCHAR"]]')) AS leg FROM entries);

CREATE MACRO class_of(account) AS
  CASE WHEN account[:2] IN ('w.', 'cr')
       THEN concat_ws('.', split_part(account, '.', 1), '*', split_part(account, '.', 3))
       WHEN split_part(account, '.', 1) IN ('psp', 'fan_debt', 'vat', 'withheld')
       THEN split_part(account, '.', 1) || '.*' ELSE account END;

CREATE VIEW sales AS
SELECT position, effective_on, recorded_at, type, body->>'sale_id' AS sale, body->>'buyer' AS buyer,
       body->>'product' AS product, body->>'funding' AS funding,
       (body->>'gross')::BIGINT - coalesce((body->>'discount')::BIGINT, 0) AS paid,
       coalesce((body->>'discount')::BIGINT, 0) AS discount,
       coalesce((body->>'platform_discount')::BIGINT, 0) AS by_platform,
       coalesce((body->>'tax')::BIGINT, 0) AS tax,
       coalesce((body->>'creator_share')::BIGINT, 0) AS creator_share,
       coalesce((body->>'platform_share')::BIGINT, 0) AS platform_share,
       coalesce((body->>'tokens_paid')::BIGINT, 0) + coalesce((body->>'tokens_promo')::BIGINT, 0)
         AS tokens,
       body->>'offer_id' AS offer, coalesce(json_array_length(body->'payees'), 0) AS payees, body
FROM entries WHERE json_exists(body, '$.creator_share');

-- What refunds, failures and lost disputes took of the creators' shares of sales, or gave back.
CREATE VIEW claws AS
SELECT position, coalesce(claw->>'sale_id', body->>'sale_id') AS sale, claw->>'creator' AS creator,
       coalesce((claw->>'share')::BIGINT, 0) AS share, json_exists(body, '$.purchase_id') AS charged
FROM (SELECT position, body, unnest(from_json(body->'shares', '["JSON"]')) AS claw FROM entries
      WHERE type IN ('refund.recorded.v1', 'refund.reversed.v1', 'sale_payment.failed.v1',
                     'dispute.lost.v1', 'dispute.won.v1', 'purchase.taken_back.v1',
                     'purchase_payment.failed.v1', 'purchase_loss.restated.v1'));

-- What is left of each sale: of its price after discount, of its tax, tokens and creators' shares.
CREATE VIEW left_of_sales AS
WITH taken AS (
  SELECT sale, sum(share) AS net, sum(share) FILTER (charged) AS charged FROM claws GROUP BY sale
), of_card AS (
  SELECT body->>'sale_id' AS sale, sum(coalesce((body->>'tax')::BIGINT, 0)) AS tax,
         sum(coalesce((body->>'platform_share')::BIGINT, 0)) AS commission
  FROM entries WHERE json_exists(body, '$.sale_id') AND NOT json_exists(body, '$.creator_share')
    AND type IN ('refund.recorded.v1', 'refund.reversed.v1', 'sale_payment.failed.v1',
                 'dispute.lost.v1', 'dispute.won.v1')
  GROUP BY ALL
), returned AS (
  SELECT body->>'sale_id' AS sale, sum((body->>'amount')::BIGINT) AS tokens,
         sum(coalesce((SELECT sum(s) FROM (
           SELECT unnest(flatten(list_transform(from_json(body->'uncharged', '["JSON"]'),
                  lambda x: from_json(x->1, '["BIGINT"]')))) AS s)), 0)) AS uncharged
  FROM entries WHERE type = 'refund.recorded.v1' AND body->>'funding' = 'TOKEN' GROUP BY ALL
), nets AS (
  SELECT s.*, s.creator_share - coalesce(t.net, 0) AS net,
         coalesce(t.charged, 0) - coalesce(r.uncharged, 0) AS charged,
         s.tax - coalesce(c.tax, 0) AS tax_left,
         s.platform_share - coalesce(c.commission, 0) AS commission_left,
         s.tokens - coalesce(r.tokens, 0) AS tokens_left
  FROM sales s LEFT JOIN taken t USING (sale) LEFT JOIN of_card c USING (sale)
  LEFT JOIN returned r USING (sale)
), halfway AS (
  SELECT *, CASE WHEN funding = 'CARD' THEN tax_left + commission_left + net
                 WHEN tokens = 0 THEN paid
                 ELSE (2 * paid * tokens_left + tokens) // (2 * tokens) END AS paid_1
  FROM nets
)
SELECT * EXCLUDE (paid_1, tokens_left),
       CASE WHEN funding = 'CARD' OR charged = 0 THEN paid_1
            ELSE (2 * paid_1 * net + net + charged) // (2 * (net + charged)) END AS paid_left,
       CASE WHEN funding = 'CARD' THEN 0 WHEN charged = 0 THEN tokens_left
            ELSE (2 * tokens_left * net + net + charged) // (2 * (net + charged)) END AS tokens_left
FROM halfway;

-- Income and expense, by day, and by what the sale was that an event is about.
CREATE VIEW income AS
WITH about AS (
  SELECT e.position, e.effective_on, coalesce(s.product, split_part(e.type, '.', 1)) AS product,
         s.body->'attribution'->>'source' AS source, s.body->>'item_id' AS item,
         s.offer, s.discount, s.by_platform,
         CASE WHEN s.sale IS NULL THEN e.labels ELSE o.labels END->>'campaign' AS campaign
  FROM entries e LEFT JOIN sales s ON s.sale = e.body->>'sale_id'
  LEFT JOIN entries o ON o.position = s.position
), moved AS (
  SELECT a.*, CASE l.account WHEN 'rev.commission' THEN 'commission' WHEN 'rev.margin' THEN 'margin'
           WHEN 'rev.usage' THEN 'usage' WHEN 'rev.fee' THEN 'fees'
           WHEN 'rev.breakage' THEN 'breakage' WHEN 'rev.subscription' THEN 'subscriptions'
           WHEN 'exp.promo' THEN 'promotional' WHEN 'exp.baddebt' THEN 'bad_debt'
           WHEN 'exp.goodwill' THEN 'goodwill' WHEN 'exp.processor' THEN 'processor_costs'
           WHEN 'exp.dispute' THEN 'dispute_costs' END AS figure,
         CASE WHEN l.account LIKE 'rev.%' THEN -l.amount ELSE l.amount END AS amount
  FROM about a JOIN legs l USING (position)
), sold AS (FROM about SEMI JOIN sales USING (position)
), counted AS (
  SELECT *, 'count', 1 FROM sold UNION ALL SELECT *, 'discount', discount FROM sold
  UNION ALL SELECT *, 'platform_discount', by_platform FROM sold
)
SELECT * FROM moved WHERE figure IS NOT NULL UNION ALL FROM counted;

-- name: balances
-- By account and asset, a debit positive, up to a position and an effective date.
SELECT account, asset, sum(amount)::BIGINT FROM legs
WHERE position <= $upto AND effective_on <= $until
GROUP BY ALL HAVING sum(amount) <> 0;

-- name: class_balances
-- The same by class of account: everybody's account is one.
SELECT class_of(account) AS class, asset, sum(amount)::BIGINT
FROM legs WHERE position <= $upto AND effective_on <= $until
GROUP BY ALL HAVING sum(amount) <> 0;

-- name: journal_of
-- By position, account and asset: what was posted in a month.
SELECT position, account, asset, sum(amount)::BIGINT FROM legs
WHERE strftime(effective_on, '%Y-%m') = $month GROUP BY ALL;

-- name: account_turnover
-- By account and asset: what it stood at before a month, its debit and its credit in it.
SELECT account, asset, coalesce(sum(amount) FILTER (month < $month), 0)::BIGINT AS opening,
       coalesce(sum(amount) FILTER (month = $month AND amount > 0), 0)::BIGINT AS debit,
       coalesce(-sum(amount) FILTER (month = $month AND amount < 0), 0)::BIGINT AS credit
FROM (SELECT *, strftime(effective_on, '%Y-%m') AS month FROM legs)
GROUP BY ALL HAVING opening <> 0 OR debit <> 0 OR credit <> 0;

-- name: class_turnover
-- The same by class.
SELECT class_of(account) AS class, asset,
       coalesce(sum(amount) FILTER (month < $month), 0)::BIGINT AS opening,
       coalesce(sum(amount) FILTER (month = $month AND amount > 0), 0)::BIGINT AS debit,
       coalesce(-sum(amount) FILTER (month = $month AND amount < 0), 0)::BIGINT AS credit
FROM (SELECT *, strftime(effective_on, '%Y-%m') AS month FROM legs)
GROUP BY ALL HAVING opening <> 0 OR debit <> 0 OR credit <> 0;

-- name: wallets
-- By user: free and held tokens by class, and what tokens came and went for.
WITH moved AS (
  SELECT split_part(account, '.', 2) AS user, split_part(account, '.', 3) AS place, type,
         asset LIKE '%.PROMO' AS promo, -amount AS credit
  FROM legs WHERE account LIKE 'w.%'
), figures AS (
  SELECT user, sum(credit) FILTER (place = 'free' AND NOT promo) AS free_paid,
         sum(credit) FILTER (place = 'free' AND promo) AS free_promo,
         sum(credit) FILTER (place = 'held' AND NOT promo) AS held_paid,
         sum(credit) FILTER (place = 'held' AND promo) AS held_promo,
         sum(credit) FILTER (NOT promo AND type IN (
           'token_purchase.refunded.v1', 'dispute.opened.v1', 'dispute.lost.v1', 'dispute.won.v1',
           'purchase.taken_back.v1', 'purchase_payment.failed.v1', 'purchase_loss.restated.v1'))
           AS unpurchased,
         sum(credit) FILTER (type IN ('promo_tokens.granted.v1', 'adjustment.approved.v1')
           OR promo AND type IN (
           'token_purchase.refunded.v1', 'dispute.opened.v1', 'dispute.lost.v1', 'dispute.won.v1',
           'purchase.taken_back.v1', 'purchase_payment.failed.v1', 'purchase_loss.restated.v1'))
           AS granted,
         -sum(credit) FILTER (type IN ('promo_tokens.expired.v1', 'tokens.lapsed.v1')) AS expired,
         sum(credit) FILTER (type = 'refund.recorded.v1') AS refunded,
         -sum(credit) FILTER (type NOT IN (
           'credits.held.v1', 'hold.released.v1', 'tokens.purchased.v1', 'promo_tokens.granted.v1',
           'adjustment.approved.v1', 'promo_tokens.expired.v1', 'tokens.lapsed.v1',
           'refund.recorded.v1', 'token_purchase.refunded.v1', 'dispute.opened.v1',
           'dispute.lost.v1', 'dispute.won.v1', 'purchase.taken_back.v1',
           'purchase_payment.failed.v1', 'purchase_loss.restated.v1')) AS spent
  FROM moved GROUP BY user
), bought AS (
  SELECT body->>'user' AS user, sum((body->>'tokens')::BIGINT) AS tokens,
         sum(coalesce((body->>'bonus')::BIGINT, 0)) AS bonus
  FROM entries WHERE type = 'tokens.purchased.v1' GROUP BY ALL
)
SELECT f.user, coalesce(free_paid, 0)::BIGINT, coalesce(free_promo, 0)::BIGINT,
       coalesce(held_paid, 0)::BIGINT, coalesce(held_promo, 0)::BIGINT,
       (coalesce(b.tokens, 0) + coalesce(unpurchased, 0))::BIGINT,
       (coalesce(b.bonus, 0) + coalesce(granted, 0))::BIGINT,
       coalesce(spent, 0)::BIGINT, coalesce(refunded, 0)::BIGINT, coalesce(expired, 0)::BIGINT
FROM figures f LEFT JOIN bought b USING (user);

-- name: liability
-- Tokens that are unspent, by class.
SELECT split_part(asset, '.', -1), -sum(amount)::BIGINT FROM legs
WHERE account LIKE 'w.%' GROUP BY ALL HAVING sum(amount) <> 0;

-- name: liability_money
-- What is deferred, and the breakage that was recognised.
SELECT coalesce(-sum(amount) FILTER (account = 'deferred'), 0)::BIGINT,
       coalesce(-sum(amount) FILTER (account = 'rev.breakage'), 0)::BIGINT FROM legs;

-- name: frozen
-- What is frozen: kind, subject, scope.
SELECT kind, subject, scope FROM (
  SELECT body->>'kind' AS kind, body->>'subject' AS subject, body->>'scope' AS scope,
         arg_max(type = 'account.frozen.v1' OR coalesce((body->>'remains')::BOOLEAN, false),
                 position) AS stays
  FROM entries WHERE type IN ('account.frozen.v1', 'account.unfrozen.v1') GROUP BY ALL)
WHERE stays;

-- name: buckets
-- By creator and bucket: what the platform owes.
SELECT split_part(account, '.', 2), split_part(account, '.', 3), -sum(amount)::BIGINT
FROM legs WHERE account LIKE 'cr.%' GROUP BY ALL HAVING sum(amount) <> 0;

-- name: sources
-- By product, all creators together: sales, and what is left of price, tax, shares and tokens.
SELECT product, count(*), sum(paid_left)::BIGINT, sum(tax_left)::BIGINT,
       sum(paid_left - tax_left - net)::BIGINT, sum(net)::BIGINT, sum(tokens_left)::BIGINT
FROM left_of_sales WHERE payees = 1 GROUP BY product;

-- name: nets
-- By creator and product: what each keeps.
WITH shares AS (
  SELECT sale, product, payee->>'creator' AS creator, (payee->>'share')::BIGINT AS share
  FROM (SELECT sale, product, unnest(from_json(body->'payees', '["JSON"]')) AS payee FROM sales)
), taken AS (SELECT sale, creator, sum(share) AS share FROM claws GROUP BY ALL)
SELECT s.creator, s.product, (sum(s.share) - sum(coalesce(t.share, 0)))::BIGINT
FROM shares s LEFT JOIN taken t USING (sale, creator) GROUP BY ALL;

-- name: daily_products
-- By day and product: sales, what was paid, tokens, tax, creators' and platform's parts.
SELECT effective_on::VARCHAR, product, count(*), sum(paid)::BIGINT, sum(tokens)::BIGINT,
       sum(tax)::BIGINT, sum(creator_share)::BIGINT, sum(platform_share)::BIGINT
FROM sales GROUP BY ALL;

-- name: daily_payers
-- By day: who bought tokens, or paid for a sale.
SELECT effective_on::VARCHAR, count(DISTINCT user) FROM (
  SELECT effective_on, buyer AS user FROM sales WHERE paid > 0
  UNION ALL
  SELECT effective_on, body->>'user' FROM entries WHERE type = 'tokens.purchased.v1')
GROUP BY ALL;

-- name: periods
-- By day, week or month, named by its first day: who paid, what they paid for tokens and by card,
-- what creators earned, what the platform kept and what was paid out.
WITH paid AS (
  SELECT effective_on, buyer AS user, CASE funding WHEN 'CARD' THEN paid - by_platform ELSE 0 END
           AS money, creator_share, platform_share AS margin, paid > 0 AS pays, 0 AS cashed
  FROM sales
  UNION ALL
  SELECT effective_on, body->>'user', (body->>'price')::BIGINT, 0, 0, true, 0
  FROM entries WHERE type = 'tokens.purchased.v1'
  UNION ALL
  SELECT effective_on, NULL, 0, 0, (body->>'released')::BIGINT, false, 0
  FROM entries WHERE type = 'hold.settled.v1'
  UNION ALL
  SELECT effective_on, NULL, 0, 0, 0, false,
         CASE type WHEN 'payout.paid.v1' THEN 1 ELSE -1 END * (body->>'gross')::BIGINT
  FROM entries WHERE type IN ('payout.paid.v1', 'payout.returned.v1')
)
SELECT date_trunc($unit, effective_on)::DATE::VARCHAR, count(DISTINCT user) FILTER (pays),
       sum(money)::BIGINT, sum(margin)::BIGINT, sum(creator_share)::BIGINT, sum(cashed)::BIGINT
FROM paid GROUP BY ALL;

-- name: leaders
-- By fan, of a month or of all time: what is left of what was spent, and on how many sales.
WITH taken AS (
  SELECT body->>'sale_id' AS sale, sum((body->>'amount')::BIGINT) FILTER (type = 'dispute.lost.v1')
           AS lost, sum((body->>'amount')::BIGINT) FILTER (type = 'dispute.won.v1') AS won,
         sum((body->>'amount')::BIGINT) FILTER (type = 'refund.recorded.v1') AS refunded,
         sum((body->>'amount')::BIGINT) FILTER (type = 'refund.reversed.v1') AS reversed,
         sum((body->>'amount')::BIGINT) FILTER (type = 'sale_payment.failed.v1') AS failed,
         count(*) FILTER (type = 'dispute.lost.v1') AS losses
  FROM entries WHERE json_exists(body, '$.sale_id') GROUP BY ALL
), spent AS (
  SELECT s.effective_on, s.buyer, s.paid - CASE s.funding WHEN 'CARD' THEN s.by_platform ELSE 0 END
           AS charged,
         CASE s.funding WHEN 'TOKEN' THEN l.paid_left ELSE greatest(0, s.paid - s.by_platform
           - coalesce(t.refunded, 0) + coalesce(t.reversed, 0) - coalesce(t.failed, 0)
           - coalesce(t.lost, 0) + CASE WHEN t.losses > 0 THEN coalesce(t.won, 0) ELSE 0 END) END
           AS amount
  FROM sales s JOIN left_of_sales l USING (sale) LEFT JOIN taken t ON t.sale = s.sale
)
SELECT buyer, sum(amount)::BIGINT, count(*)
FROM spent WHERE charged > 0
  AND ($month = '' OR date_trunc('month', effective_on)::DATE::VARCHAR = $month)
GROUP BY ALL HAVING sum(amount) > 0;

-- name: calls
-- By fan: calls that started and ended, blocks, seconds, tokens, and what they cost.
SELECT coalesce(body->>'fan', body->>'buyer'),
       count(*) FILTER (type = 'call.started.v1'), count(*) FILTER (type = 'call.ended.v1'),
       count(*) FILTER (type = 'call_block.charged.v1'),
       coalesce(sum((body->>'seconds')::BIGINT), 0)::BIGINT,
       coalesce(sum((body->>'tokens_paid')::BIGINT + (body->>'tokens_promo')::BIGINT), 0)::BIGINT,
       coalesce(sum((body->>'gross')::BIGINT - (body->>'discount')::BIGINT), 0)::BIGINT
FROM entries WHERE type IN ('call.started.v1', 'call.ended.v1', 'call_block.charged.v1')
GROUP BY ALL;

-- name: streams
-- By day, week or month and stream, or null: tips, what was paid and in how many tokens.
SELECT date_trunc($unit, s.effective_on)::DATE::VARCHAR, e.labels->>'stream', count(*),
       sum(paid)::BIGINT, sum(tokens)::BIGINT
FROM sales s JOIN entries e USING (position) WHERE product = 'tip' GROUP BY ALL;

-- name: daily_facts
-- By day and type of event: how often, and what it came to in money and in tokens.
SELECT effective_on::VARCHAR, type,
       count(*) FILTER (coalesce((body->>'part')::BIGINT, 1) = 1),
       sum(coalesce((body->>'amount')::BIGINT, (body->>'price')::BIGINT, (body->>'gross')::BIGINT,
                    (body->>'released')::BIGINT, 0))::BIGINT,
       sum(coalesce((body->>'tokens')::BIGINT, 0)
           + coalesce((body->>'bonus_cancelled')::BIGINT, 0))::BIGINT
FROM entries GROUP BY ALL;

-- name: entitled
-- By user and item: the sale that entitles, of those that still do the one that lasts longest.
WITH touched AS (
  SELECT split_part(tag, ':', 2) AS user, split_part(tag, ':', 3) AS item, position, type, body
  FROM (SELECT position, type, body, unnest(tags) AS tag FROM entries)
  WHERE tag LIKE 'entitlement:%'
), last AS (
  SELECT user, item, body->>'sale_id' AS sale,
         arg_max(json_exists(body, '$.creator_share')
                 OR type IN ('dispute.won.v1', 'refund.reversed.v1'), position) AS entitles,
         max(position) AS position,
         arg_max(coalesce(body->>'period_end', body->>'expires_at', body->>'valid_until'), position)
           AS given_until
  FROM touched GROUP BY ALL
)
SELECT user, item, arg_max(sale, (coalesce(given_until, '9999'), position)) FROM last
WHERE entitles AND coalesce(given_until, '9999') > $now GROUP BY ALL;

-- name: ever_entitled
-- Whoever was ever entitled, to which item.
SELECT DISTINCT split_part(tag, ':', 2), split_part(tag, ':', 3)
FROM (SELECT unnest(tags) AS tag FROM entries) WHERE tag LIKE 'entitlement:%';

-- name: payouts
-- By payout: status, creator, gross, fee, withheld, net, who approved, the processor's reference.
SELECT body->>'payout_id',
       arg_max(upper(split_part(type, '.', 2)), position),
       any_value(body->>'creator'),
       max((body->>'gross')::BIGINT) FILTER (type = 'payout.requested.v1'),
       max((body->>'fee')::BIGINT) FILTER (type = 'payout.requested.v1'),
       max((body->>'withheld')::BIGINT) FILTER (type = 'payout.requested.v1'),
       max((body->>'net')::BIGINT) FILTER (type = 'payout.requested.v1'),
       max(body->>'approver'), max(body->>'processor_ref'), min(position), max(position)
FROM entries WHERE type LIKE 'payout.%' GROUP BY ALL;

-- name: disputes
-- By dispute: status, whose, of which sale or purchase, amount, first and last position.
SELECT body->>'dispute_id',
       arg_max(CASE type WHEN 'dispute.opened.v1' THEN 'OPEN' WHEN 'dispute.lost.v1' THEN 'LOST'
               ELSE 'WON' END, position),
       any_value(body->>'user') FILTER (type = 'dispute.opened.v1'),
       any_value(body->>'sale_id') FILTER (type = 'dispute.opened.v1'),
       any_value(body->>'purchase_id') FILTER (type = 'dispute.opened.v1'),
       max((body->>'amount')::BIGINT) FILTER (type = 'dispute.opened.v1'),
       min(position), max(position)
FROM entries WHERE type LIKE 'dispute.%' GROUP BY ALL;

-- name: risk
-- By buyer: how many disputes are lost, of which sum.
WITH stands AS (
  SELECT body->>'dispute_id' AS dispute, any_value(body->>'dispute_ref') AS ref,
         any_value(body->>'user') AS user, arg_max(type, position) AS last
  FROM entries WHERE type LIKE 'dispute.%' GROUP BY ALL
), amounts AS (
  SELECT body->>'dispute_id' AS dispute, sum((body->>'amount')::BIGINT) AS amount
  FROM entries WHERE type = 'dispute.lost.v1' GROUP BY ALL
)
SELECT user, count(DISTINCT ref), sum(amount)::BIGINT
FROM stands JOIN amounts USING (dispute) WHERE last = 'dispute.lost.v1' GROUP BY user;

-- name: offers
-- By offer: uses, what is left of what was sold with it, what it and the platform took off.
WITH uses AS (
  SELECT body->>'offer_id' AS offer,
         sum(CASE WHEN type IN ('payment.voided.v1', 'payment.failed.v1') THEN -1
                  WHEN type IN ('payment.captured.v1', 'offer.withdrawn.v1', 'offer.published.v1')
                  THEN 0 ELSE 1 END) AS uses
  FROM entries WHERE json_exists(body, '$.offer_id') GROUP BY body->>'offer_id'
  HAVING count(*) FILTER (type = 'offer.published.v1') = 1
), sold AS (
  SELECT offer, sum(paid_left) AS revenue, sum(discount) AS discount,
         sum(by_platform) AS by_platform
  FROM left_of_sales WHERE offer IS NOT NULL GROUP BY offer
)
SELECT offer, uses::BIGINT, coalesce(revenue, 0)::BIGINT, coalesce(discount, 0)::BIGINT,
       coalesce(by_platform, 0)::BIGINT
FROM uses LEFT JOIN sold USING (offer);

-- name: tiers
-- By user who has paid for a sale: the tier by what all sales have cost within the window before a
-- time. Of a sale by card the cash tells, of one in tokens what is left of its price.
WITH policy AS (
  SELECT body->'body' AS body FROM entries
  WHERE type = 'policy.published.v1' ORDER BY position DESC LIMIT 1
), steps AS (
  SELECT step->>'tier' AS tier, (step->>'min')::BIGINT AS least
  FROM (SELECT unnest(from_json(body->'tier_ladder', '["JSON"]')) AS step FROM policy)
), tagged AS (
  SELECT position, unnest(tags) AS tag FROM entries
), cash AS (
  SELECT t.tag AS tag, sum(l.amount) AS paid
  FROM tagged t JOIN legs l USING (position)
  WHERE t.tag LIKE 'sale:%'
    AND (l.account LIKE 'psp.%' OR l.account IN ('disputed', 'exp.dispute'))
  GROUP BY ALL
), costs AS (
  SELECT s.buyer, least(e.occurred_at, e.recorded_at) AS sold_at,
         s.paid - s.by_platform AS at_first,
         CASE WHEN s.funding = 'CARD' THEN greatest(coalesce(c.paid, 0), 0) ELSE s.paid_left END
           AS cost
  FROM left_of_sales s JOIN entries e USING (position)
  LEFT JOIN cash c ON c.tag = 'sale:' || s.sale
), spends AS (
  SELECT buyer, coalesce(sum(cost) FILTER (
           sold_at <= $now::TIMESTAMP AND sold_at > $now::TIMESTAMP
             - to_days((SELECT coalesce((body->>'tier_window_days')::INT, 30) FROM policy))), 0)
           AS spend
  FROM costs WHERE at_first > 0 GROUP BY buyer
)
SELECT buyer, coalesce((SELECT arg_max(tier, least) FROM steps WHERE least <= spend), 'NEW')
FROM spends;

-- name: tier_changes
-- By user whose tier has ever changed: the last tier.
SELECT body->>'user', arg_max(body->>'tier', position) FROM entries
WHERE type = 'tier.changed.v1' GROUP BY ALL;

-- name: suspended
-- What waits in suspense, and why: what nobody has released, or what has come back since.
SELECT body->>'ref', any_value(body->>'code') FILTER (type = 'payment.suspended.v1')
FROM entries WHERE type IN ('payment.suspended.v1', 'payment.released.v1', 'suspense.drawn.v1')
GROUP BY body->>'ref', body->>'processor'
HAVING count(*) FILTER (type = 'payment.suspended.v1')
       > count(*) FILTER (type = 'payment.released.v1')
    OR sum(CASE type WHEN 'payment.suspended.v1' THEN (body->>'amount')::BIGINT
                WHEN 'payment.released.v1' THEN -(body->>'amount')::BIGINT
                ELSE -coalesce((body->>'suspense')::BIGINT, 0) END) <> 0;

-- name: revenue
-- By day, product, source, item, offer or campaign, with null for what has none: each figure.
SELECT CASE $by WHEN 'day' THEN effective_on::VARCHAR WHEN 'product' THEN product
       WHEN 'month' THEN date_trunc('month', effective_on)::DATE::VARCHAR
       WHEN 'source' THEN source WHEN 'item' THEN item
       WHEN 'offer' THEN offer ELSE campaign END AS name,
       figure, sum(amount)::BIGINT
FROM income GROUP BY ALL HAVING sum(amount) <> 0;

-- name: log
-- Positions without holes, sums of zero, times that never go back.
SELECT count(*) = max(position),
       (SELECT count(*) FROM (
         SELECT position, asset FROM legs GROUP BY ALL HAVING sum(amount) <> 0)),
       (SELECT count(*) FROM (
         SELECT recorded_at <= lag(recorded_at) OVER (ORDER BY position) AS back FROM entries)
        WHERE back)
FROM entries;
