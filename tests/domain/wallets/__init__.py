"""Tests of `domain/wallets`."""
