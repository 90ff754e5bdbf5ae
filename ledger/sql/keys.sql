-- name: create
-- Keeps a new key's hash; the key itself is never stored.
INSERT INTO tokenledger.api_keys (key_hash, key_id, book, role, actor, client, kind)
VALUES (%(key_hash)s, %(key_id)s, %(book)s, %(role)s, %(actor)s, %(client)s, %(kind)s)

-- name: revoke
-- Ends a key; answers its id unless it was ended before or never was.
UPDATE tokenledger.api_keys SET revoked_at = clock_timestamp()
WHERE key_id = %s AND revoked_at IS NULL RETURNING key_id

-- name: find
-- Who holds a key, while it is good.
SELECT key_hash, book, role, actor, client, kind FROM tokenledger.api_keys
WHERE key_id = %s AND revoked_at IS NULL

-- name: list
-- A book's keys, without anything that opens it.
SELECT key_id, role, actor, client, created_at, revoked_at, kind FROM tokenledger.api_keys
WHERE book = %s ORDER BY created_at, key_id
