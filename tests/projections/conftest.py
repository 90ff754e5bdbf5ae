"""Tests of the read side need a platform that writes, and its read models."""

from tests.scenarios.write_path import stage

__all__ = ["stage"]
