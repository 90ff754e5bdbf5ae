"""Purchases of tokens by card."""
