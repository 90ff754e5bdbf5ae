"""Tests of `domain/controls`."""
