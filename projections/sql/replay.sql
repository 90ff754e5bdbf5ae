-- name: make
-- The schema of a moment's read models, with checkpoints of its own, unless it is there.
CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION tokenledger_owner;
GRANT USAGE, CREATE ON SCHEMA {schema} TO tokenledger_app;
GRANT USAGE ON SCHEMA {schema} TO tokenledger_auditor;
CREATE TABLE IF NOT EXISTS {schema}.projections (LIKE {live}.projections INCLUDING ALL);
GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.projections TO tokenledger_app;
GRANT SELECT ON {schema}.projections TO tokenledger_auditor;
