"""Tests of `ledger/write`."""
