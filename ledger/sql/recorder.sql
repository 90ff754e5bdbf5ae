-- name: lock_head
-- Takes the sequencer of a log without a catalogue.
SELECT position, recorded_at, partition_rows FROM head FOR UPDATE;

-- name: under_lock
-- The clock, and whether a book writes here: whatever passes a sequencer leaves a receipt.
SELECT clock_timestamp(), EXISTS (SELECT FROM receipts);

-- name: copy_events
-- The log's own door, where nothing is answered. A tag named twice is indexed once.
COPY events (position, event_id, type, tags, occurred_at, recorded_at, data, leaf_hash)
FROM STDIN (FORMAT binary);
