"""Tests of `domain/sales`."""
