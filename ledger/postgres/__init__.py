"""The database and how to reach it."""
