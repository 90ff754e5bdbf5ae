"""The log: entries, their bytes and their hashes."""
