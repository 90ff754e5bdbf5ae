-- name: tables
-- The balance of each class of accounts in an asset at the checkpoint, and its last posting.
CREATE TABLE {account_classes} (
  class    text COLLATE "C",
  asset    text COLLATE "C",
  balance  bigint NOT NULL,
  position bigint NOT NULL,
  PRIMARY KEY (class, asset)
) WITH (fillfactor = 70);
-- The balance at each position that is a multiple of 1,024, where it changed since the one before.
CREATE TABLE {class_steps} (
  class    text COLLATE "C",
  asset    text COLLATE "C",
  position bigint,
  balance  bigint NOT NULL,
  PRIMARY KEY (class, asset, position)
);
-- The turnover of each class by effective date, however late a fact was recorded.
CREATE TABLE {class_days} (
  class        text COLLATE "C",
  asset        text COLLATE "C",
  effective_on date,
  debit        bigint NOT NULL,
  credit       bigint NOT NULL,
  PRIMARY KEY (class, asset, effective_on)
) WITH (fillfactor = 70);
-- Lines of classes that are effective on another day than the one they were recorded on; `covers`
-- are the days on which the balance at the end of the day is not the effective one.
CREATE TABLE {late_class_lines} (
  class        text COLLATE "C",
  asset        text COLLATE "C",
  position     bigint,
  recorded_on  date NOT NULL,
  effective_on date NOT NULL,
  amount       bigint NOT NULL,
  covers       daterange NOT NULL GENERATED ALWAYS AS (
    daterange(least(recorded_on, effective_on), greatest(recorded_on, effective_on))) STORED,
  PRIMARY KEY (class, asset, position)
);
GRANT SELECT ON {account_classes}, {class_steps}, {class_days}, {late_class_lines}
TO tokenledger_auditor;

-- name: indexes
-- The late lines that cover a day; every other index comes with its table.
CREATE INDEX ON {late_class_lines} USING gist (covers);

-- name: balances
-- All classes.
SELECT class, asset, balance, position FROM {account_classes};

-- name: move
-- The new balances of the classes that a page touched.
INSERT INTO {account_classes} AS c (class, asset, balance, position)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[])
ON CONFLICT (class, asset) DO UPDATE SET
  balance = excluded.balance, position = excluded.position;

-- name: add_steps
-- Balances at steps that a page passed.
INSERT INTO {class_steps} (class, asset, position, balance)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[]);

-- name: add_days
-- What a page adds to the turnover of classes by day.
INSERT INTO {class_days} AS d (class, asset, effective_on, debit, credit)
SELECT m.class, m.asset, date '2000-01-01' + m.day, m.debit, m.credit
FROM unnest(%s::text[], %s::text[], %s::integer[], %s::bigint[], %s::bigint[])
  AS m (class, asset, day, debit, credit)
ON CONFLICT (class, asset, effective_on) DO UPDATE SET
  debit = d.debit + excluded.debit, credit = d.credit + excluded.credit;

-- name: add_late
-- A page's lines that are effective on another day.
INSERT INTO {late_class_lines} (class, asset, position, recorded_on, effective_on, amount)
SELECT m.class, m.asset, m.position, date '2000-01-01' + m.recorded,
       date '2000-01-01' + m.effective, m.amount
FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::integer[], %s::integer[], %s::bigint[])
  AS m (class, asset, position, recorded, effective, amount);
