"""Tests of `domain/refunds`."""
