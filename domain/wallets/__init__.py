"""Wallets: token lots, how they are granted and how they end."""
