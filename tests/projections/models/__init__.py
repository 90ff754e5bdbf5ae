"""Tests of `projections/models`."""
