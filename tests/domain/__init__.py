"""Tests of the money rules as pure functions: no database."""
