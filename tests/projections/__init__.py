"""Tests of the read side, on a real PostgreSQL."""
