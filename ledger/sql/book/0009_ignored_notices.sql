-- A notice that says nothing new, such as a figure older than the known one, is kept as ignored.
ALTER TABLE inbox DROP CONSTRAINT inbox_state_check;
ALTER TABLE inbox ADD CONSTRAINT inbox_state_check
  CHECK (state IN ('parked', 'suspended', 'applied', 'ignored'));
