"""Tokens set aside, settled batch by batch, released."""
