"""Business days: the date of an instant in a book's time zone, looked up once a day."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


class BusinessDays:
    """Dates in one time zone; remembers the day asked for last."""

    def __init__(self, time_zone: str) -> None:
        self._zone = ZoneInfo(time_zone)
        self._date = date.min
        self._begins = self._ends = datetime.max.replace(tzinfo=UTC)

    def of(self, instant: datetime) -> date:
        """The date of `instant`."""
        if not self._begins <= instant < self._ends:
            day = instant.astimezone(self._zone).date()
            begins, ends = self._midnight(day), self._midnight(day + timedelta(days=1))
            self._date, self._begins, self._ends = day, begins, ends
        return self._date

    def _midnight(self, day: date) -> datetime:
        """When `day` begins, in UTC."""
        return datetime.combine(day, time.min, self._zone).astimezone(UTC)
