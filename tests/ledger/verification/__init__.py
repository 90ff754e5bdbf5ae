"""Tests of `ledger/verification`."""
