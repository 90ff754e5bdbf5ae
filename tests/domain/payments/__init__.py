"""Tests of `domain/payments`."""
