-- name: schemas
-- The schemas of a database that are not PostgreSQL's own.
SELECT nspname FROM pg_namespace
WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public') ORDER BY nspname;

-- name: structure
-- All that stands in some schemas: schema, relation (empty: of none), kind, name, definition.
-- Rights stand as `role: PRIVILEGE`, those that PostgreSQL gives by itself included.
WITH spaces AS (
  SELECT oid, nspname, nspowner, nspacl FROM pg_namespace WHERE nspname = ANY (%s::text[])
), relations AS (
  SELECT c.oid, s.nspname, c.relname, c.relkind, c.relowner, c.relacl, c.relpersistence,
         c.relrowsecurity, c.relforcerowsecurity, c.reloptions
  FROM pg_class c JOIN spaces s ON s.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
), rights (nspname, relation, kind, name, owner, acl) AS (
  SELECT nspname, '', 'rights on the schema', nspname, nspowner,
         coalesce(nspacl, acldefault('n', nspowner)) FROM spaces
  UNION ALL
  SELECT nspname, relname, 'rights on', relname, relowner,
         coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, relowner))
  FROM relations
  UNION ALL
  SELECT r.nspname, r.relname, 'rights on the column', a.attname, r.relowner, a.attacl
  FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid WHERE a.attacl IS NOT NULL
  UNION ALL
  SELECT s.nspname, '', 'rights on the function',
         format('%%s(%%s)', p.proname, pg_get_function_identity_arguments(p.oid)), p.proowner,
         coalesce(p.proacl, acldefault('f', p.proowner))
  FROM pg_proc p JOIN spaces s ON s.oid = p.pronamespace
  UNION ALL
  SELECT s.nspname, '', 'rights by default on what will be of kind', d.defaclobjtype::text,
         d.defaclrole, d.defaclacl
  FROM pg_default_acl d JOIN spaces s ON s.oid = d.defaclnamespace
)
SELECT nspname, relation, kind, name,
       format('owned by %%s; ', pg_get_userbyid(owner)) || coalesce((
         SELECT string_agg(DISTINCT format('%%s: %%s%%s',
                  CASE grantee WHEN 0 THEN 'everybody' ELSE pg_get_userbyid(grantee) END,
                  privilege_type, CASE WHEN is_grantable THEN ' and to grant it' ELSE '' END), ', ')
         FROM aclexplode(acl)), 'nobody else')
FROM rights
UNION ALL
SELECT nspname, relname, 'relation', relname,
       format('kind %%s, persistence %%s, row security %%s %%s, options %%s', relkind,
              relpersistence, relrowsecurity, relforcerowsecurity, reloptions)
FROM relations
UNION ALL
SELECT r.nspname, r.relname, 'column', a.attname,
       format('%%s%%s%%s, storage %%s, collation %%s', format_type(a.atttypid, a.atttypmod),
              CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END,
              ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), a.attstorage,
              a.attcollation::regcollation)
FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
UNION ALL
SELECT r.nspname, r.relname, 'constraint', pg_get_constraintdef(c.oid),
       CASE WHEN c.convalidated THEN 'valid' ELSE 'not validated' END
FROM relations r JOIN pg_constraint c ON c.conrelid = r.oid WHERE c.contype <> 'n'
UNION ALL
SELECT r.nspname, r.relname, 'index',
       regexp_replace(pg_get_indexdef(i.indexrelid), 'INDEX .+? ON (ONLY )?', 'INDEX ON '),
       CASE WHEN i.indisvalid AND i.indisready THEN 'valid' ELSE 'not valid' END
FROM relations r JOIN pg_index i ON i.indrelid = r.oid
UNION ALL
SELECT r.nspname, r.relname, 'trigger', t.tgname,
       format('%%s, enabled %%s', pg_get_triggerdef(t.oid), t.tgenabled)
FROM relations r JOIN pg_trigger t ON t.tgrelid = r.oid WHERE NOT t.tgisinternal
UNION ALL
SELECT r.nspname, r.relname, 'rule', w.rulename,
       format('%%s, enabled %%s', pg_get_ruledef(w.oid), w.ev_enabled)
FROM relations r JOIN pg_rewrite w ON w.ev_class = r.oid
UNION ALL
SELECT r.nspname, r.relname, 'row policy', p.polname,
       format('%%s %%s %%s %%s %%s', p.polcmd, p.polpermissive, p.polroles,
              pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
FROM relations r JOIN pg_policy p ON p.polrelid = r.oid
UNION ALL
SELECT s.nspname, '', 'function',
       format('%%s(%%s)', p.proname, pg_get_function_identity_arguments(p.oid)),
       CASE WHEN p.prokind = 'a' THEN 'aggregate' ELSE pg_get_functiondef(p.oid) END
FROM pg_proc p JOIN spaces s ON s.oid = p.pronamespace;

-- name: qualify
-- Definitions name everything with its schema, for whoever asks.
SELECT set_config('search_path', '', true);

-- name: roles
-- What a role of ours may do beyond the rights that it was given on things.
SELECT rolname,
       concat_ws(', ', CASE WHEN rolsuper THEN 'SUPERUSER' END,
                 CASE WHEN rolcreaterole THEN 'CREATEROLE' END,
                 CASE WHEN rolcreatedb THEN 'CREATEDB' END,
                 CASE WHEN rolreplication THEN 'REPLICATION' END,
                 CASE WHEN rolbypassrls THEN 'BYPASSRLS' END,
                 CASE WHEN rolcanlogin AND rolname IN ('tokenledger_owner', 'tokenledger_keys')
                      THEN 'LOGIN' END,
                 (SELECT string_agg('member of ' || pg_get_userbyid(m.roleid), ', ')
                  FROM pg_auth_members m WHERE m.member = r.oid))
FROM pg_roles r
WHERE rolname IN ('tokenledger_owner', 'tokenledger_app', 'tokenledger_auditor', 'tokenledger_keys')
ORDER BY rolname;
