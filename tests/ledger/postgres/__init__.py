"""Tests of `ledger/postgres`."""
