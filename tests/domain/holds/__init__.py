"""Tests of `domain/holds`."""
