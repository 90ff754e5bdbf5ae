"""Tests of `api/simulation`."""
