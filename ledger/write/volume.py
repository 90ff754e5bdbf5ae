"""The volume of a book: all that it has ever posted, which bounds every sum of it.

Balances, turnovers and figures of states and of read models are integers of 64 bits. All of them
sum up what events have posted, or what little events say that they do not post, so none is above
the volume. Requests end at half of what 64 bits hold, 4.6 x 10^18 minor units and tokens together,
and so no sum ever overflows, which would stop a read model for good. Notices are facts: they are
booked for a while longer.
"""

from domain.command import Command
from domain.rejections import INVALID_AMOUNT, Rejection, reject

#: Where requests are refused, and where nothing more can be booked at all.
VOLUME_MAX = 2**62
NOTICES_VOLUME_MAX = 2**63 - 2**60


class VolumeExceeded(Exception):
    """The book would have posted more than its sums may hold."""

    def __init__(self, volume: int, limit: int) -> None:
        self.volume = volume
        self.limit = limit
        super().__init__(volume, limit)

    @property
    def rejection(self) -> Rejection:
        """Why its command is refused."""
        return reject(INVALID_AMOUNT, field="volume", amount=self.volume, limit=self.limit)


def limit_of(command: Command) -> int:
    """Up to where a command is booked."""
    return VOLUME_MAX if command.notice_id() is None else NOTICES_VOLUME_MAX


def raised(volume: int, moved: int, limit: int) -> int:
    """The volume once `moved` more was posted; raises VolumeExceeded above `limit`."""
    if moved and volume + moved > limit:
        raise VolumeExceeded(volume + moved, limit)
    return volume + moved
