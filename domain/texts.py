"""Texts: what a person writes as a reason or as evidence, and how the log refers to it.

An entry can never be changed, so it holds no text, only a salted hash. Text and salt are kept
beside the log and can be erased: without the salt the hash says nothing about the text any more.
"""

from hashlib import sha256
from typing import Annotated

from pydantic import StringConstraints

from domain.event import Event

Text = Annotated[
    str, StringConstraints(min_length=1, max_length=4_000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")
]


class ErasesTexts(Event, frozen=True):
    """An event with which the texts kept about a subject are erased."""

    def erased(self) -> str:
        """The subject's tag: texts of all events that carry it are erased."""
        raise NotImplementedError(type(self).__name__)


def sealed(salt: str, text: str | None) -> str | None:
    """SHA-256 over salt and text as hex; the salt's length is fixed, so nothing is ambiguous."""
    return None if text is None else sha256(f"{salt}:{text}".encode()).hexdigest()
