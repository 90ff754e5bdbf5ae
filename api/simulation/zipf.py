"""Zipf's law: the k-th most popular of n is drawn in proportion to 1 / k^exponent.

A few creators get most of a platform's money, so what tests or shows the ledger has to load its
popular creators as real fans do. Draws come from the caller's generator, so a seed decides all.
"""

import random
from bisect import bisect
from itertools import accumulate


class Zipf:
    """A law over `size` ranks, 0 being the most popular."""

    def __init__(self, size: int, exponent: float = 1.0) -> None:
        self._up_to = list(accumulate(1 / rank**exponent for rank in range(1, size + 1)))

    def draw(self, source: random.Random) -> int:
        """Draw a rank; low ranks are the most frequent."""
        return min(bisect(self._up_to, source.random() * self._up_to[-1]), len(self._up_to) - 1)
