"""The write side: the only door through which an event is born, and what it stands on.

`ledger` owns the log, its sequencer and receipts, and everything they stand on: settings, logs,
the embedded PostgreSQL, migrations, books and API keys. It imports `domain` and nothing above.
"""
