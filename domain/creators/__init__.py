"""Creators: what they are owed, whether they can be paid, when earnings mature."""
