-- name: temporary
-- What is created from now on is temporary, and found before what is live.
SELECT set_config('temp_buffers', '64MB', false),
       set_config('search_path', format('pg_temp, %%I, tokenledger', %s::text), false);

-- name: checkpoints
-- Checkpoints of this session's own.
CREATE TABLE pg_temp.projections (
  name       text PRIMARY KEY,
  version    integer NOT NULL,
  position   bigint NOT NULL DEFAULT 0,
  failed_at  bigint,
  failure    text,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- name: installed
-- Read models that this book has.
SELECT name FROM projections;
