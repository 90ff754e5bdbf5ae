"""How many examples properties try: all of them by default, a twentieth with the profile `fast`.

They are the same in every run, but for the profile `explore`, which looks for new ones.
"""

from typing import Any

from hypothesis import settings

FAST = "fast"
EXPLORE = "explore"
SHARE_OF_FAST = 20


def examples(count: int, **more: Any) -> settings:
    """Settings of a property that tries so many, however long each of them takes."""
    if settings.get_current_profile_name() == FAST:
        count = max(1, count // SHARE_OF_FAST)
    return settings(max_examples=count, deadline=None, print_blob=True, **more)
