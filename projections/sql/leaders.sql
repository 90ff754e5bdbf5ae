-- name: tables
-- What a fan has spent on a creator's sales, in minor units; `reached` is the position at which it
-- last changed, `last_at` the time of the last sale.
CREATE TABLE {fan_creators} (
  creator text COLLATE "C",
  user_id text COLLATE "C",
  amount  bigint NOT NULL,
  count   bigint NOT NULL,
  reached bigint NOT NULL,
  last_at timestamptz,
  PRIMARY KEY (creator, user_id)
) WITH (fillfactor = 70);
-- The same of a creator or a fan within a day, week or month, or of all time.
CREATE TABLE {leaders} (
  board     text COLLATE "C",
  unit      text COLLATE "C",
  first_day date,
  name      text COLLATE "C",
  amount    bigint NOT NULL,
  count     bigint NOT NULL,
  reached   bigint NOT NULL,
  last_at   timestamptz,
  PRIMARY KEY (board, unit, first_day, name)
) WITH (fillfactor = 70);
GRANT SELECT ON {fan_creators}, {leaders} TO tokenledger_auditor;

-- name: indexes
-- The most first; of equal ones whoever was there earlier, and then by name.
CREATE INDEX ON {fan_creators} (creator, (- amount), reached, user_id) WHERE amount > 0;
CREATE INDEX ON {fan_creators} (user_id, (- amount), reached, creator) WHERE amount > 0;
CREATE INDEX ON {leaders} (board, unit, first_day, (- amount), reached, name) WHERE amount > 0;

-- name: add_pairs
-- What a page adds to each fan's spend on a creator.
INSERT INTO {fan_creators} AS f (creator, user_id, amount, count, reached, last_at)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[],
                     %s::timestamptz[])
ON CONFLICT (creator, user_id) DO UPDATE SET
  amount = f.amount + excluded.amount,
  count = f.count + excluded.count,
  reached = greatest(f.reached, excluded.reached),
  last_at = greatest(f.last_at, excluded.last_at);

-- name: add
-- What a page adds to each board.
INSERT INTO {leaders} AS l (board, unit, first_day, name, amount, count, reached, last_at)
SELECT m.board, m.unit, date '2000-01-01' + m.day, m.name, m.amount, m.count, m.reached, m.last_at
FROM unnest(%s::text[], %s::text[], %s::integer[], %s::text[], %s::bigint[], %s::bigint[],
            %s::bigint[], %s::timestamptz[])
  AS m (board, unit, day, name, amount, count, reached, last_at)
ON CONFLICT (board, unit, first_day, name) DO UPDATE SET
  amount = l.amount + excluded.amount,
  count = l.count + excluded.count,
  reached = greatest(l.reached, excluded.reached),
  last_at = greatest(l.last_at, excluded.last_at);

-- name: board
-- A page of a board from a rank on.
SELECT p.position, l.name, NULL, l.amount, l.count, l.last_at
FROM projections p
LEFT JOIN (
  SELECT * FROM {leaders}
  WHERE board = %(board)s AND unit = %(unit)s AND first_day = %(first)s AND amount > 0
  ORDER BY (- amount), reached, name OFFSET %(after)s LIMIT %(limit)s
) l ON true
WHERE p.name = 'leaders' ORDER BY (- l.amount), l.reached, l.name;

-- name: fans
-- A page of a creator's fans from a rank on, each with the alias under which the creator sees them.
SELECT p.position, f.user_id, fan_alias(f.creator, f.user_id), f.amount, f.count, f.last_at
FROM projections p
LEFT JOIN (
  SELECT * FROM {fan_creators} WHERE creator = %(name)s AND amount > 0
  ORDER BY (- amount), reached, user_id OFFSET %(after)s LIMIT %(limit)s
) f ON true
WHERE p.name = 'leaders' ORDER BY (- f.amount), f.reached, f.user_id;

-- name: favourites
-- A page of the creators on whom a fan spends most, from a rank on.
SELECT p.position, f.creator, NULL, f.amount, f.count, f.last_at
FROM projections p
LEFT JOIN (
  SELECT * FROM {fan_creators} WHERE user_id = %(name)s AND amount > 0
  ORDER BY (- amount), reached, creator OFFSET %(after)s LIMIT %(limit)s
) f ON true
WHERE p.name = 'leaders' ORDER BY (- f.amount), f.reached, f.creator;
