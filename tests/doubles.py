"""Ports that watch, or that fail on demand; each stands before a real one."""

import re
import threading

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from parentauth import Argon2Hasher
from parentauth.exceptions import ConflictError
from parentauth.mailers import as_message
from parentauth.ports import Change, Mail, Storage

GROUPED = re.compile(r"^(?:[0-9A-HJKMNP-TV-Z]{4}-){7}[0-9A-HJKMNP-TV-Z]{4}$", re.MULTILINE)


class RecordingStorage:
    """Notes the name of every call and passes it on."""

    def __init__(self, inner: Storage) -> None:
        self.inner = inner
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)

        def recorded(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            return method(*args, **kwargs)

        return recorded


class ConflictingStorage:
    """Loses the race for the next *conflicts* writes."""

    def __init__(self, inner: Storage) -> None:
        self.inner = inner
        self.conflicts = 0
        self.before_conflict: Callable[[], None] = lambda: None

    def replace(self, changes: Sequence[Change]) -> None:
        """Refuse, as if another had written in between, or pass on."""
        if self.conflicts and changes:
            self.conflicts -= 1
            self.before_conflict()
            raise ConflictError("injected")
        self.inner.replace(changes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class CountingHasher:
    """Counts what it is asked, from however many threads."""

    def __init__(self) -> None:
        self.inner = Argon2Hasher.for_tests()
        self.outdated: set[str] = set()
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Begin to count anew."""
        self.hashed = self.verified = 0

    def hash(self, *, password: str) -> str:
        """Hash."""
        with self._lock:
            self.hashed += 1
        return self.inner.hash(password=password)

    def verify(self, *, password: str, password_hash: str) -> bool:
        """Verify."""
        with self._lock:
            self.verified += 1
        return self.inner.verify(password=password, password_hash=password_hash)

    def needs_rehash(self, *, password_hash: str) -> bool:
        """Tell whether the test declared this hash outdated."""
        return password_hash in self.outdated


class ListMailer:
    """Keeps mails in a list, and fails as it is told."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []
        self.connects = 0
        self.fail_connect: Callable[[], None] = lambda: None
        self.fail_send: Callable[[Mail], None] = lambda _: None
        self.fail_leave: Callable[[], None] = lambda: None

    @contextmanager
    def connect(self) -> Iterator[Callable[[Mail], None]]:
        """Give a callable that keeps a mail."""
        self.connects += 1
        self.fail_connect()
        yield self._send
        self.fail_leave()

    def _send(self, mail: Mail) -> None:
        # A mail that could not be built would never leave.
        as_message(mail)
        self.fail_send(mail)
        self.sent.append(mail)

    @property
    def tokens(self) -> list[str]:
        """Every token that left, in order."""
        return [token for mail in self.sent for token in tokens_in(mail)]


def tokens_in(mail: Mail) -> list[str]:
    """Return the tokens that stand alone on a line of the mail's text."""
    return GROUPED.findall(mail.text)


def raising(*errors: Exception | None) -> Callable[..., None]:
    """Return a callable that raises each error in turn, and then no more."""
    left = list(errors)

    def fail(*_: Any) -> None:
        error = left.pop(0) if left else None
        if error is not None:
            raise error

    return fail
