"""The write side: the only door through which an event is born, and the house it lives in.

`ledger` owns the log, its sequencer and receipts, and everything they stand on: settings, logs,
the embedded PostgreSQL, migrations, books and API keys. It imports `domain` and nothing above.
"""
