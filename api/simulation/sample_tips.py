"""Sample files of tips, as messy as real ones: to try the import with, and to test it on.

Same columns and same troubles as a community's published tip log: exact repeats, rows out of time
order, one content id that carries tips to several recipients at one instant, amounts with up to
five decimal places of a token. The same seed makes the same file, byte for byte.
"""

import csv
import gzip
import io
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, cast

from api.simulation.zipf import Zipf

HEADER = ("tip_ref", "occurred_at", "sender", "recipient", "units", "content_id", "round")

_START = datetime(2023, 11, 1, tzinfo=UTC)
#: However many rows there are, none lies in the future.
_SPAN = timedelta(days=540)
_UNITS_PER_TOKEN = 100_000
Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """How many rows and people, and one row in how many shows each trouble (0: none does)."""

    rows: int = 5_000
    senders: int = 285
    recipients: int = 1_470
    repeat_every: int = 500
    late_every: int = 250
    shared_every: int = 100
    round_days: int = 28


def tip_rows(shape: Shape, seed: int) -> Iterator[Row]:
    """`shape.rows` rows of tips, repeats included."""
    draw = random.Random(f"tips {seed}")
    senders = [f"u_{draw.getrandbits(48):012x}" for _ in range(shape.senders)]
    # Who gives also receives, as in every community.
    others = [f"u_{draw.getrandbits(48):012x}" for _ in range(shape.recipients)]
    recipients = others + senders[: shape.senders // 2]
    by_giving, by_fame = Zipf(len(senders), 1.1), Zipf(len(recipients), 0.9)
    at = _START
    gap_us = min(1_200_000_000, _SPAN // timedelta(microseconds=max(1, shape.rows)))
    earlier: list[Row] = []
    before: tuple[str, str, datetime] | None = None
    for number in range(shape.rows):
        if earlier and _due(draw, shape.repeat_every):
            yield draw.choice(earlier)
            continue
        at += timedelta(microseconds=draw.randrange(1, gap_us))
        sender = senders[by_giving.draw(draw)]
        recipient = recipients[by_fame.draw(draw)]
        content, given_at = f"c_{draw.getrandbits(48):012x}", at
        if before is not None and _due(draw, shape.shared_every):
            sender, content, given_at = before
        elif _due(draw, shape.late_every):
            given_at -= timedelta(microseconds=draw.randrange(1, 86_400_000_000))
        while recipient == sender:
            recipient = draw.choice(recipients)
        row = (
            f"{number:06x}{draw.getrandbits(56):014x}",
            given_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            sender,
            recipient,
            str(_units(draw)),
            content,
            str(130 + (at - _START).days // shape.round_days),
        )
        before = sender, content, given_at
        earlier = [*earlier[-200:], row]
        yield row


def write_tips(path: Path, shape: Shape, seed: int) -> None:
    """Write a sample file, gzipped when its name ends in .gz."""
    with path.open("wb") as raw:
        if path.suffix == ".gz":
            # Neither name nor time in the header: the same seed is the same file.
            with gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
                _write(packed, shape, seed)
        else:
            _write(raw, shape, seed)


def _write(binary: IO[bytes] | gzip.GzipFile, shape: Shape, seed: int) -> None:
    with io.TextIOWrapper(cast("IO[bytes]", binary), "utf-8", newline="") as text:
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(HEADER)
        rows.writerows(tip_rows(shape, seed))


def _due(draw: random.Random, every: int) -> bool:
    return every > 0 and draw.randrange(every) == 0


def _units(draw: random.Random) -> int:
    """Mostly whole tokens, sometimes with one to five decimal places, seldom very many."""
    whole = min(15_000, int(draw.paretovariate(0.9)))
    if draw.random() < 0.85:
        return whole * _UNITS_PER_TOKEN
    fine = (1, 10, 100, 1_000, 10_000)[draw.randrange(5)]
    return whole * _UNITS_PER_TOKEN - draw.randrange(1, _UNITS_PER_TOKEN // fine) * fine
