"""A clock that tests set."""

from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["FrozenClock"]

START: Final = datetime(2026, 9, 1, 8, 0, tzinfo=UTC)


class FrozenClock:
    """
    Tells the same time until it is told another.

    Args:
        at: The time that it tells first, aware.
    """

    def __init__(self, at: datetime = START) -> None:
        self.at: datetime = at

    def __call__(self) -> datetime:
        """Return the time that was set."""
        return self.at

    def advance(self, by: timedelta) -> None:
        """Let *by* pass."""
        self.at += by
