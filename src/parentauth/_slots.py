"""A bounded number of password hashes at a time: each takes a core and tens of megabytes."""

import threading

from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from parentauth.exceptions import BusyError, ConfigurationError

_SECOND: Final = timedelta(seconds=1)


class Slots:
    """
    Lets a few in, a few more wait for a short time, and refuses the rest.

    Args:
        count: How many may hash at once.
        queue: How many more may wait.
        wait: For how long each of them waits.

    Raises:
        ConfigurationError: No slot, or a negative queue or wait.

    Source:
        OWASP ASVS 5.0, 15.2.2: what is costly must not make the whole unavailable.

    .. versionadded:: 26.1.0
    """

    def __init__(self, count: int, queue: int = 64, wait: timedelta = 2 * _SECOND) -> None:
        if count < 1:
            raise ConfigurationError(f"{count} hashes at once; allow at least 1")
        if queue < 0 or wait < timedelta(0):
            raise ConfigurationError("queue and wait must not be negative; 0 lets nobody wait")
        self._wait = wait
        self._admitted = threading.BoundedSemaphore(count + queue)
        self._free = threading.BoundedSemaphore(count)

    @contextmanager
    def take(self) -> Generator[None]:
        """
        Hold a slot.

        Raises:
            BusyError: The queue is full, or no slot became free in time.
        """
        with self._entered(self._admitted, timedelta(0)), self._entered(self._free, self._wait):
            yield

    @contextmanager
    def _entered(self, semaphore: threading.Semaphore, wait: timedelta) -> Generator[None]:
        if not semaphore.acquire(timeout=wait.total_seconds()):
            raise BusyError(retry_after=max(self._wait, _SECOND))
        try:
            yield
        finally:
            semaphore.release()
