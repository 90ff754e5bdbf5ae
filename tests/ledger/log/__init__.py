"""Tests of `ledger/log`."""
