-- Creators see fans by aliases: the same for a creator and a fan for ever, and no way back. An
-- alias is an HMAC-SHA256 under a key of this book that nobody but the owner can read; the function
-- answers aliases and never the key.
CREATE TABLE alias_key (
  one       boolean PRIMARY KEY DEFAULT true CHECK (one),
  inner_pad bytea NOT NULL CHECK (length(inner_pad) = 64),
  outer_pad bytea NOT NULL CHECK (length(outer_pad) = 64)
);

-- A key of 64 random bytes, kept as the two pads that HMAC makes of it.
DO $$
DECLARE
  key       bytea := ''::bytea;
  inner_pad bytea;
  outer_pad bytea;
BEGIN
  FOR part IN 1..4 LOOP
    key := key || uuid_send(gen_random_uuid());
  END LOOP;
  inner_pad := key;
  outer_pad := key;
  FOR byte IN 0..63 LOOP
    inner_pad := set_byte(inner_pad, byte, get_byte(key, byte) # 54);
    outer_pad := set_byte(outer_pad, byte, get_byte(key, byte) # 92);
  END LOOP;
  INSERT INTO alias_key (inner_pad, outer_pad) VALUES (inner_pad, outer_pad);
END $$;

-- The alias of a fan for a creator; ids have no colon, so every pair is another text.
CREATE FUNCTION fan_alias(creator text, fan text) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
SET search_path FROM CURRENT AS $$
  SELECT 'fan_' || substr(encode(sha256(k.outer_pad || sha256(
           k.inner_pad || convert_to(creator || ':' || fan, 'UTF8'))), 'hex'), 1, 20)
  FROM alias_key k
$$;
REVOKE ALL ON FUNCTION fan_alias(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fan_alias(text, text) TO tokenledger_app;
