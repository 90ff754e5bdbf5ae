"""Why nothing can be written at present."""


class Unavailable(Exception):
    """Nothing can be written at present; `reason` for people. Safe to retry with the same key."""

    def __init__(self, reason: str, *, retry_after_s: int = 1) -> None:
        self.reason = reason
        self.retry_after_s = retry_after_s
        super().__init__(reason)


class NotWritten(Unavailable):
    """A group that something is written along with cannot be committed; `error` says why.

    It is not taken apart: only its caller knows what belongs to which part of it.
    """

    def __init__(self, error: Exception) -> None:
        self.error = error
        super().__init__(repr(error))
