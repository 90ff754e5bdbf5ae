"""The plan of a simulated year: which scenes a day of each profile has, and how many."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from api.simulation.year.office import NEW_POLICY_AFTER, month, new_policy, week, welcome
from api.simulation.year.platform import WEEK, Platform
from api.simulation.year.products import call, campaign, session, subscribe
from api.simulation.year.sales import buy_tokens, spend_by_card, spend_tokens

Scene = Callable[[Platform, datetime], None]
#: Scenes of a fan on a day of usual business.
SCENES_PER_FAN = 0.12
MONTH_ENDS_ON = 5

#: What happens on each profile's platform, in proportion.
SCENES: dict[str, tuple[tuple[Scene, int], ...]] = {
    "micro-unlock": ((spend_tokens, 62), (spend_by_card, 30), (buy_tokens, 8)),
    "live-call": ((spend_tokens, 70), (call, 10), (buy_tokens, 8)),
    "prepaid-credits": ((campaign, 70), (buy_tokens, 20), (subscribe, 2)),
    "subscription": ((spend_by_card, 60), (subscribe, 8)),
    "session-booking": ((session, 60), (subscribe, 2)),
}


class YearPlan:
    """A platform's days, one after the other."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._scenes, self._weights = zip(*SCENES[platform.policy.profile], strict=True)
        welcome(platform, platform.extent.begins)

    def days(self) -> Iterator[datetime]:
        """Midnights."""
        day = self._platform.extent.begins
        while day < self._platform.extent.ends:
            yield day
            day += timedelta(days=1)

    def begin(self, day: datetime) -> None:
        """Let everybody do what they do on this day."""
        platform = self._platform
        extent = platform.extent
        platform.go_on(day + timedelta(days=1))
        scenes = extent.fans * SCENES_PER_FAN * platform.share(day) * WEEK[day.weekday()]
        for at in platform.instants(day, scenes):
            platform.draw.choices(self._scenes, self._weights)[0](platform, at)
        if day.weekday() == 0:
            week(platform, day)
        if day.day == MONTH_ENDS_ON:
            month(platform, day)
        if day - extent.begins == NEW_POLICY_AFTER:
            new_policy(platform, day + timedelta(hours=10))
