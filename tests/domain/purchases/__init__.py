"""Tests of `domain/purchases`."""
