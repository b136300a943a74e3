"""Counts in this process while the configured throttle fails: guesses are never unlimited."""

import logging
import threading
import time

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from parentauth.exceptions import StorageError
from parentauth.ports import Throttle
from parentauth.throttles import MemoryThrottle

logger: Final = logging.getLogger("parentauth")

_LOGGED_EVERY: Final = 60.0  # seconds


class FallbackThrottle:
    """
    Asks one throttle, and counts in this process's memory each time that one raises.

    While it fails, each process allows the limit once; that is also all that a throttle that
    fails now and then gives away, as what was counted here is kept until its window ends.
    The other throttle is asked again at each call.

    Args:
        primary: The throttle that all processes share.
        local: What counts meanwhile.
        monotonic: A clock in seconds, for the log.

    Source:
        OWASP ASVS 5.0, 6.3.1, and NIST SP 800-63B-4, 3.2.2: no outage lifts the limit.

    .. versionadded:: 26.1.0
    """

    def __init__(
        self,
        primary: Throttle,
        *,
        local: Throttle | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._primary = primary
        self._local = local or MemoryThrottle()
        self._monotonic = monotonic
        self._quiet_until = float("-inf")
        self._lock = threading.Lock()

    def hit(self, key: str, *, limit: int, window: timedelta, now: datetime) -> timedelta | None:
        """
        Count one attempt if fewer than *limit* were counted in the window; atomic.

        Returns:
            None if it was counted, else the time until the window ends.
        """
        try:
            return self._primary.hit(key, limit=limit, window=window, now=now)
        except Exception as error:  # noqa: BLE001  whatever it is, it must not open the door
            self._tell(error)
            return self._local.hit(key, limit=limit, window=window, now=now)

    def peek(self, key: str, *, limit: int, window: timedelta, now: datetime) -> timedelta | None:
        """Return what :meth:`hit` would, without counting."""
        try:
            return self._primary.peek(key, limit=limit, window=window, now=now)
        except Exception as error:  # noqa: BLE001  the same
            self._tell(error)
            return self._local.peek(key, limit=limit, window=window, now=now)

    def clear(self, key: str) -> None:
        """Forget what was counted for *key*; a throttle that fails keeps it until its window ends."""
        self._local.clear(key)
        try:
            self._primary.clear(key)
        except Exception as error:  # noqa: BLE001  the parent has signed in already
            self._tell(error)

    def prune(self, now: datetime) -> None:
        """Forget every window that is over."""
        self._local.prune(now)
        try:
            self._primary.prune(now)
        except Exception as error:  # noqa: BLE001  next time, then
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        with self._lock:
            if self._monotonic() < self._quiet_until:
                return
            self._quiet_until = self._monotonic() + _LOGGED_EVERY
        # Others' texts may hold a URI with its password; our own say what to do.
        cure = f": {error}" if isinstance(error, StorageError) else ""
        logger.error(
            "the throttle failed, so that attempts are counted in this process until it works "
            "again (%s%s)",
            type(error).__name__,
            cure,
        )


def with_fallback(throttle: Throttle) -> Throttle:
    """Return a throttle that does not fail, whatever *throttle* does."""
    if isinstance(throttle, MemoryThrottle | FallbackThrottle):
        return throttle
    return FallbackThrottle(throttle)
