"""Tests of `domain/authorizations`."""
