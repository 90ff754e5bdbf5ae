-- name: tables
-- Every account in an asset that was ever posted to, numbered in the order of their first
-- postings, with its balance at the checkpoint. A debit is positive.
CREATE TABLE {accounts} (
  id       integer PRIMARY KEY,
  account  text COLLATE "C" NOT NULL,
  asset    text COLLATE "C" NOT NULL,
  balance  bigint NOT NULL,
  position bigint NOT NULL,
  UNIQUE (account, asset)
) WITH (fillfactor = 70);
-- How many accounts there are of each class.
CREATE TABLE {class_accounts} (
  class    text COLLATE "C",
  asset    text COLLATE "C",
  accounts bigint NOT NULL,
  PRIMARY KEY (class, asset)
) WITH (fillfactor = 70);
-- The journal: what an event did to an account, and the account's balance after it.
CREATE TABLE {journal} (
  account_id   integer NOT NULL,
  effective_on date NOT NULL,
  position     bigint NOT NULL,
  amount       bigint NOT NULL,
  balance      bigint NOT NULL
);
-- The turnover of each account by effective date, however late a fact was recorded.
CREATE TABLE {account_days} (
  account_id   integer,
  effective_on date,
  debit        bigint NOT NULL,
  credit       bigint NOT NULL,
  PRIMARY KEY (account_id, effective_on)
) WITH (fillfactor = 70);
-- Lines that are effective on another day than the one they were recorded on. One covers the days
-- on which the journal's balance at the end of the day is not the effective one: a late line is
-- lacking there, an early one is there too soon. As a range of (account, day) in one number, those
-- of an account that cover a day are found by one index, however many there are.
CREATE TABLE {late_lines} (
  account_id   integer,
  position     bigint,
  recorded_on  date NOT NULL,
  effective_on date NOT NULL,
  amount       bigint NOT NULL,
  covers       int8range NOT NULL GENERATED ALWAYS AS (int8range(
    account_id::bigint * 4194304 + (least(recorded_on, effective_on) - date '0001-01-01'),
    account_id::bigint * 4194304 + (greatest(recorded_on, effective_on) - date '0001-01-01')
  )) STORED,
  PRIMARY KEY (account_id, position)
);
GRANT SELECT ON {accounts}, {class_accounts}, {journal}, {account_days}, {late_lines}
TO tokenledger_auditor;

-- name: indexes
-- The journal's key, which answers a balance at a position with one probe; a rebuild makes it
-- last, which costs a third of keeping it row by row.
ALTER TABLE {journal} ADD PRIMARY KEY (account_id, position);
CREATE INDEX ON {late_lines} USING gist (covers);
CREATE INDEX ON {late_lines} (account_id, effective_on);

-- name: last_id
-- The number of the account that appeared last.
SELECT coalesce(max(id), 0) FROM {accounts};

-- name: known
-- Accounts by name.
SELECT a.account, a.asset, a.id, a.balance
FROM unnest(%s::text[], %s::text[]) AS k (account, asset)
JOIN {accounts} a ON a.account = k.account AND a.asset = k.asset;

-- name: copy_accounts
-- Accounts that appear for the first time.
COPY {accounts} (id, account, asset, balance, position) FROM STDIN;

-- name: count_accounts
-- How many accounts of each class a page adds.
INSERT INTO {class_accounts} AS c (class, asset, accounts)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[])
ON CONFLICT (class, asset) DO UPDATE SET accounts = c.accounts + excluded.accounts;

-- name: move_accounts
-- Known accounts' new balances.
UPDATE {accounts} a SET balance = m.balance, position = m.position
FROM unnest(%s::integer[], %s::bigint[], %s::bigint[]) AS m (id, balance, position)
WHERE a.id = m.id;

-- name: copy_journal
-- A page of the journal, sorted by account and position.
COPY {journal} (account_id, effective_on, position, amount, balance) FROM STDIN (FORMAT binary);

-- name: add_days
-- What a page adds to the turnover of accounts by day.
INSERT INTO {account_days} AS d (account_id, effective_on, debit, credit)
SELECT m.account_id, date '2000-01-01' + m.day, m.debit, m.credit
FROM unnest(%s::integer[], %s::integer[], %s::bigint[], %s::bigint[])
  AS m (account_id, day, debit, credit)
ON CONFLICT (account_id, effective_on) DO UPDATE SET
  debit = d.debit + excluded.debit, credit = d.credit + excluded.credit;

-- name: copy_late
-- A page's lines that are effective on another day.
COPY {late_lines} (account_id, position, recorded_on, effective_on, amount) FROM STDIN;
