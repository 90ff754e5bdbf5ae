"""Tests of `domain/calls`."""
