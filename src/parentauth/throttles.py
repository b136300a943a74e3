"""Throttles to choose from."""

import heapq
import threading

from datetime import datetime, timedelta
from typing import Final

import attrs

from parentauth.exceptions import ConfigurationError

__all__ = ["MemoryThrottle"]

_FIRST_TIDYING: Final = 1_000


@attrs.frozen
class _Window:
    count: int
    ends_at: datetime


class MemoryThrottle:
    """
    Counts in this process's memory: for one process, and forgotten when it ends.

    Several processes would allow each its own number of attempts; they need a throttle that they
    share.  A key is always used with the same window.

    Args:
        max_keys: How many keys are counted at most, some 300 bytes each.

    Source:
        OWASP ASVS 5.0, 6.3.1 and 6.1.1: guessing is slowed down, and no stranger can use that
        to lock parents out.

    .. versionadded:: 26.1.0
    """

    def __init__(self, *, max_keys: int = 100_000) -> None:
        if max_keys < 1:
            raise ConfigurationError("max_keys must be at least 1")
        self._max_keys = max_keys
        self._tidy_at = min(_FIRST_TIDYING, max_keys)
        self._windows: dict[str, _Window] = {}
        self._lock = threading.Lock()

    def hit(self, key: str, *, limit: int, window: timedelta, now: datetime) -> timedelta | None:
        """
        Count one attempt if fewer than *limit* were counted in the window; atomic.

        Returns:
            None if it was counted, else the time until the window ends.
        """
        with self._lock:
            current = self._current(key, window=window, now=now)
            if current.count >= limit:
                return current.ends_at - now
            if key not in self._windows:
                self._make_room(now)
            self._windows[key] = attrs.evolve(current, count=current.count + 1)
            return None

    def peek(self, key: str, *, limit: int, window: timedelta, now: datetime) -> timedelta | None:
        """Return what :meth:`hit` would, without counting."""
        with self._lock:
            current = self._current(key, window=window, now=now)
            return current.ends_at - now if current.count >= limit else None

    def clear(self, key: str) -> None:
        """Forget what was counted for *key*."""
        with self._lock:
            self._windows.pop(key, None)

    def prune(self, now: datetime) -> None:
        """Forget every window that is over; it also happens by itself as keys grow in number."""
        with self._lock:
            self._forget_ended(now)

    def _current(self, key: str, *, window: timedelta, now: datetime) -> _Window:
        found = self._windows.get(key)
        return found if found and now < found.ends_at else _Window(0, now + window)

    def _forget_ended(self, now: datetime) -> None:
        self._windows = {
            key: window for key, window in self._windows.items() if now < window.ends_at
        }

    def _make_room(self, now: datetime) -> None:
        if len(self._windows) < self._tidy_at:
            return
        self._forget_ended(now)
        if len(self._windows) >= self._max_keys:
            self._evict()
        # Twice as many as are alive: each key then pays for a constant share of the next tidying.
        self._tidy_at = min(max(_FIRST_TIDYING, 2 * len(self._windows)), self._max_keys)

    def _evict(self) -> None:
        # All are alive, so that somebody floods us with made-up keys.  To refuse new keys would
        # let that stranger lock out every parent who is not counted yet.  Those that end soonest
        # go instead, a tenth at a time, as sorting is slow.  What stays the longest are windows
        # of 30 days, which bound all guessing: only others of their kind can push them out, and
        # each of those costs the stranger a password verification.
        kept = self._max_keys * 9 // 10
        latest = heapq.nlargest(kept, self._windows.items(), key=lambda item: item[1].ends_at)
        self._windows = dict(latest)
