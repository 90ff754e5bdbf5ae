"""Some of these tests need the write path: a book with a writer in front of it."""

from tests.scenarios.write_path import stage

__all__ = ["stage"]
