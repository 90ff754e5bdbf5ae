"""Tunes the garbage collector for processes that keep many objects and make few cycles.

By default it walks the young objects after every 700 allocations: a sixth of the write path's
time, for nothing, because commands, events and states refer to each other in one direction only.
"""

import gc

#: Net allocations after which the young objects are walked; a cycle lives at most that long.
YOUNG_OBJECTS = 200_000


def relax() -> None:
    """Collect seldom, and never what exists by now: for processes that write or project."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 50)
