"""Scenarios play on a platform of their own."""

from tests.scenarios.platform import platform

__all__ = ["platform"]
