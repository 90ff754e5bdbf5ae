"""Tests of `api/imports`."""
