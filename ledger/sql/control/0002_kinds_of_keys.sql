-- Whether a key is a person's or a machine's. Without a kind it is a machine's if its role is
-- `service`, else a person's.
ALTER TABLE tokenledger.api_keys ADD COLUMN kind text CHECK (kind IN ('person', 'machine'));
