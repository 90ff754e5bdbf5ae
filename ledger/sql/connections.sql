-- name: enter
-- Makes a book's schema the first on the search path, for the life of the session.
SELECT set_config('search_path', %s, false);
