-- name: zone
-- The time zone of the book whose log is read.
SELECT time_zone FROM tokenledger.books WHERE schema = ANY (current_schemas(false));

-- name: day_end
-- The last moment of a date in the book's zone.
SELECT ((%s::date + 1)::timestamp AT TIME ZONE time_zone) - interval '1 microsecond'
FROM tokenledger.books WHERE schema = ANY (current_schemas(false));
