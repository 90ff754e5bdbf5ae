"""Texts beside the log: reasons and evidence in the words of people, and their erasure.

They are written and erased in the transaction of the command that brings or erases them. The log
holds only their salted hashes, so erasing changes no entry, no hash and no total.
"""

import secrets
from collections.abc import Iterable
from typing import Any

import msgspec
import psycopg
from psycopg.rows import TupleRow

from domain.command import Command
from domain.event import Event
from domain.texts import ErasesTexts
from ledger.postgres import sql_files

SQL = sql_files.load("sequencer")

SALT_BYTES = 16


def new_salt() -> str:
    """Salt for one command's texts, as hex."""
    return secrets.token_hex(SALT_BYTES)


class Kept(msgspec.Struct, frozen=True):
    """A text: a row of the table. `subjects`: the tags of the events it belongs to."""

    event_id: str
    field: str
    salt: str
    text: str
    subjects: list[str]


class Texts:
    """What one batch keeps and erases."""

    def __init__(self) -> None:
        self.kept: list[Kept] = []
        self.erased: list[str] = []

    def keep(self, command: Command, events: Iterable[Event], event_id: str, salt: str) -> None:
        """Keep the texts that an accepted command brought."""
        subjects = list({tag for event in events for tag in event.tags()})
        for field in command.text_fields:
            text = getattr(command, field)
            if text is not None:
                self.kept.append(Kept(event_id, field, salt, text, subjects))

    def erase(self, event: ErasesTexts) -> None:
        """Erase the texts about the event's subject."""
        self.erased.append(event.erased())

    def write(self, cursor: psycopg.Cursor[TupleRow]) -> None:
        """Write and erase them."""
        for text in self.kept:
            cursor.execute(SQL["keep_text"], msgspec.structs.asdict(text))
        if self.erased:
            cursor.execute(SQL["erase_texts"], (self.erased,))

    def save(self) -> tuple[Any, ...]:
        """What `restore` needs to undo all that follows."""
        return len(self.kept), len(self.erased)

    def restore(self, saved: tuple[Any, ...]) -> None:
        """Back to how it was at `save`."""
        kept, erased = saved
        del self.kept[kept:], self.erased[erased:]
