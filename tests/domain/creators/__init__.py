"""Tests of `domain/creators`."""
