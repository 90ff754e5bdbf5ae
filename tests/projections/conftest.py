"""Tests of the read side need a book that is written, and its read models."""

from tests.projections.sound_book import sound
from tests.scenarios.write_path import stage

__all__ = ["sound", "stage"]
