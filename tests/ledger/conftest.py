"""Some of these tests need a whole platform: a book with a writer in front of it."""

from tests.scenarios.write_path import stage

__all__ = ["stage"]
