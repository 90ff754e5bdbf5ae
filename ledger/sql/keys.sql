-- name: create
-- Keeps a new key's hash; the key itself is never stored.
INSERT INTO tokenledger.api_keys (key_hash, key_id, book, role, actor, client, kind)
VALUES (%(key_hash)s, %(key_id)s, %(book)s, %(role)s, %(actor)s, %(client)s, %(kind)s)

-- name: revoke
-- Ends a key; answers its id unless it was ended before or never was.
UPDATE tokenledger.api_keys SET revoked_at = clock_timestamp()
WHERE key_id = %s AND revoked_at IS NULL RETURNING key_id

-- name: holder
-- Who holds a key, while it is good, by its id and its SHA-256, which nobody can read.
SELECT book, role, actor, client, kind FROM tokenledger.key_holder(%s, %s)

-- name: signed
-- Of each message, who holds the key of this id and whether it is signed with it; nulls if there is
-- no such good key. Messages come as one string, with the end of each.
SELECT k.book, k.role, k.actor, k.client, k.kind, s.good
FROM ROWS FROM (unnest(%(ids)s::text[]),
                tokenledger.signed(%(ids)s::text[], %(messages)s, %(ends)s::int[],
                                   %(signatures)s::bytea[]))
     WITH ORDINALITY AS s (id, good, nth)
LEFT JOIN tokenledger.api_keys k ON k.key_id = s.id AND k.revoked_at IS NULL
ORDER BY s.nth

-- name: list
-- A book's keys, without anything that opens it.
SELECT key_id, role, actor, client, created_at, revoked_at, kind FROM tokenledger.api_keys
WHERE book = %s ORDER BY created_at, key_id
