"""Payouts to creators."""
