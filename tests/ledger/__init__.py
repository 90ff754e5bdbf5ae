"""Tests of the write side, on a real PostgreSQL."""
