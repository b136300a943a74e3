"""Throttles to choose from."""

import heapq
import math
import threading
import time

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import attrs

from parentauth._canonical import digest
from parentauth.exceptions import ConfigurationError, StorageError

if TYPE_CHECKING:
    from limits.storage import Storage

__all__ = ["LimitsThrottle", "MemoryThrottle"]

_FIRST_TIDYING: Final = 1_000
_SECOND: Final = timedelta(seconds=1)


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


class LimitsThrottle:
    """
    Counts in Redis or Memcached, through the package ``limits``.

    For portals on several machines.  Keys are stored as digests, and go by themselves when
    their window is over.  A key is always used with the same window, of whole seconds.

    The time is the system's and the store's: the *now* of the calls is not used.

    What the store forgets is allowed again: a Redis that evicts keys to make room, or
    Memcached, lets a flood of made-up keys push out a parent's.  Give Redis
    ``maxmemory-policy noeviction``.  Give its client a short timeout, and as many connections
    as the process has threads, as in
    ``redis://127.0.0.1:6379/0?socket_timeout=1&socket_connect_timeout=1&max_connections=200``.

    Args:
        storage: A URI that ``limits`` knows, such as ``redis://127.0.0.1:6379/0`` or
            ``memcached://127.0.0.1:11211``, or a storage that it made.  Its own memory,
            ``memory://``, is for trying out; :class:`MemoryThrottle` is bounded.
        prefix: What every key begins with; one for each portal that shares the store.

    Raises:
        ConfigurationError: A package is missing, or it is no storage that can be used.

    Source:
        NIST SP 800-63B-4, 3.2.2, and OWASP ASVS 5.0, 6.3.1.

    .. versionadded:: 26.1.0
    """

    def __init__(self, storage: "str | Storage", *, prefix: str = "parentauth:") -> None:
        self._storage = _limits_storage(storage)
        self._failures = _failures(self._storage)
        self._prefix = prefix
        self._alone = _alone(self._storage)

    def hit(
        self,
        key: str,
        *,
        limit: int,
        window: timedelta,
        now: datetime,  # noqa: ARG002  the port's
    ) -> timedelta | None:
        """
        Count one attempt if fewer than *limit* were counted in the window; atomic.

        Args:
            now: Not used.

        Returns:
            None if it was counted, else the time until the window ends, at least a second.

        Raises:
            StorageError: The store can't be used.
        """
        if limit < 1:
            return window
        name, seconds = self._name(key), max(1, math.ceil(window.total_seconds()))
        with self._used():
            # Asked first, so that a flood does not make the count grow; adding decides.
            if self._storage.get(name) < limit and self._storage.incr(name, seconds) <= limit:
                return None
            return self._wait(name)

    def peek(
        self,
        key: str,
        *,
        limit: int,
        window: timedelta,
        now: datetime,  # noqa: ARG002  the port's
    ) -> timedelta | None:
        """
        Return what :meth:`hit` would, without counting.

        Args:
            now: Not used.

        Raises:
            StorageError: The store can't be used.
        """
        if limit < 1:
            return window
        name = self._name(key)
        with self._used():
            return self._wait(name) if self._storage.get(name) >= limit else None

    def clear(self, key: str) -> None:
        """
        Forget what was counted for *key*.

        Raises:
            StorageError: The store can't be used.
        """
        with self._used():
            self._storage.clear(self._name(key))

    def prune(self, now: datetime) -> None:
        """Do nothing: the store itself forgets windows that are over."""

    def _name(self, key: str) -> str:
        return self._prefix + digest("throttle", key)

    def _wait(self, name: str) -> timedelta:
        # Redis rounds to seconds, and "wait for none" would be a lie.
        return max(_SECOND, timedelta(seconds=self._storage.get_expiry(name) - time.time()))

    @contextmanager
    def _used(self) -> Generator[None]:
        try:
            with self._alone:
                yield
        except self._failures as error:
            raise StorageError(
                f"the throttle's store can't be used ({type(error).__name__}): "
                "check that it runs, its URI and its rights"
            ) from error


def _limits_storage(storage: "str | Storage") -> "Storage":
    try:
        from limits.errors import ConfigurationError as LimitsError
        from limits.storage import Storage, storage_from_string
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "LimitsThrottle needs limits: pip install 'parentauth[limits]'"
        ) from error
    try:
        made = storage_from_string(storage) if isinstance(storage, str) else storage
    except (LimitsError, ValueError):
        # Neither its text nor the URI is repeated: there may be a password in them.
        raise ConfigurationError(
            "limits can't use that URI: write it like redis://127.0.0.1:6379/0, and install the "
            "store's client, redis or pymemcache"
        ) from None
    if not isinstance(made, Storage):
        raise ConfigurationError("LimitsThrottle takes a URI or a storage of limits, not async")
    return made


def _failures(storage: "Storage") -> tuple[type[Exception], ...]:
    from limits.errors import StorageError as LimitsError

    known = storage.base_exceptions
    # Memcached's client lets the system's errors through.
    return (*(known if isinstance(known, tuple) else (known,)), LimitsError, OSError)


def _alone(storage: "Storage") -> AbstractContextManager[object]:
    from limits.storage import MemoryStorage

    # In memory, limits adds and reads in two steps: threads would see each other's counts.
    return threading.Lock() if isinstance(storage, MemoryStorage) else nullcontext()
