-- Notices are listed by what became of them, in the order in which they came.
CREATE INDEX inbox_listed ON inbox (
  state, received_at, processor COLLATE "C", processor_ref COLLATE "C", command COLLATE "C");
