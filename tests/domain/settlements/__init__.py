"""Tests of `domain/settlements`."""
