-- How much has moved in a book, so that no sum of it ever leaves what a bigint holds.

-- All debits of all events, of whatever asset. It bounds every balance, turnover and figure of a
-- state or a read model. Of logs of before this it counts from here.
ALTER TABLE head ADD COLUMN volume bigint NOT NULL DEFAULT 0;

GRANT UPDATE (volume) ON head TO tokenledger_app;
