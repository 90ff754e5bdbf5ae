"""How a writer is, as readiness and metrics tell it. One thread writes, any may read."""

import time

#: A batch under way for longer than that is told.
STUCK_S = 5.0
#: How long a failure is told after which nobody has tried again.
TROUBLED_S = 5.0


class Condition:
    """When a writer last committed, since when it is at work, and what stopped it last."""

    def __init__(self) -> None:
        self._began_at: float | None = None
        self._passed_at: float | None = None
        self._trouble: tuple[str, float] | None = None

    def begin(self) -> None:
        """A batch is under way."""
        self._began_at = time.monotonic()

    def passed(self) -> None:
        """The batch is committed."""
        self._passed_at = time.monotonic()
        self._trouble = None

    def failed(self, reason: str) -> None:
        """Nothing can be written, for `reason`."""
        self._trouble = reason, time.monotonic()

    def end(self) -> None:
        """The batch is over, one way or the other."""
        self._began_at = None

    @property
    def at_work_s(self) -> float:
        """Since when the batch under way is under way, in seconds; 0 without one."""
        began_at = self._began_at
        return 0.0 if began_at is None else time.monotonic() - began_at

    @property
    def idle_s(self) -> float | None:
        """Seconds since the last commit; None before the first."""
        passed_at = self._passed_at
        return None if passed_at is None else time.monotonic() - passed_at

    @property
    def trouble(self) -> str | None:
        """Why commands cannot be written at present, for people; None if they can."""
        if self.at_work_s > STUCK_S:
            return f"a batch has been under way for {self.at_work_s:.0f} s"
        trouble = self._trouble
        if trouble is None or time.monotonic() - trouble[1] > TROUBLED_S:
            return None
        return trouble[0]
