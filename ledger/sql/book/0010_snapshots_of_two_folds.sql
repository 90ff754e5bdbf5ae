-- The snapshots of a release that raises a fold version are written while the release before it
-- still serves: both read their own.
ALTER TABLE snapshots DROP CONSTRAINT snapshots_pkey;
ALTER TABLE snapshots ADD PRIMARY KEY (entity, fold_version);
