"""Some of these tests need a whole platform: a book with a writer in front of it."""

from tests.scenarios.platform import platform

__all__ = ["platform"]
