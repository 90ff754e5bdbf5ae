"""Tests of the read side need a platform that writes, and its read models."""

from tests.scenarios.platform import platform

__all__ = ["platform"]
