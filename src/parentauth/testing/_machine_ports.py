"""The ports of the machine: a mailbox, a cheap hasher, and a storage that is watched and fails."""

import hashlib
import re
import secrets

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from parentauth.exceptions import ConflictError, MailDelayedError, MailRefusedError
from parentauth.ports import Change, Mail, Storage

_GROUPED: Final = re.compile(r"(?:[0-9A-HJKMNP-TV-Z]{4}-){7}[0-9A-HJKMNP-TV-Z]{4}")
# What a mail server may do to one mail; "late" ones may have left.
FATES: Final = ("sent", "delayed", "late", "late_sent", "refused", "bug", "killed", "killed_sent")
_SENT: Final = frozenset({"sent", "late_sent", "killed_sent"})


class Killed(BaseException):
    """The process died here; nothing of it runs any more."""


class Mailbox:
    """
    A mailer that keeps every mail in a list, and fails as it is told.

    Args:
        fates: What happens to the next mails, in order: ``sent``, ``delayed``, ``refused``,
            ``late`` or ``late_sent`` (the connection was lost so late that it may have left),
            ``bug`` (the mailer raises what it must not), ``killed`` or ``killed_sent``.  Those
            that it says nothing of are sent.
    """

    def __init__(self, fates: Sequence[str] = ()) -> None:
        self.fates: list[str] = list(fates)
        self.closed = False
        self.sent: list[Mail] = []
        self.seen: Callable[[Mail, str], None] = lambda _mail, _fate: None

    @contextmanager
    def connect(self) -> Generator[Callable[[Mail], None]]:
        """Give a callable that keeps a mail, unless the server is closed."""
        if self.closed:
            raise MailDelayedError("closed")
        yield self._send

    def _send(self, mail: Mail) -> None:
        fate = self.fates.pop(0) if self.fates else "sent"
        if fate in _SENT:
            self.sent.append(mail)
        self.seen(mail, fate)
        if fate == "refused":
            raise MailRefusedError("no such mailbox")
        if fate in {"delayed", "late", "late_sent"}:
            raise MailDelayedError("greylisted", maybe_sent=fate != "delayed")
        if fate == "bug":
            raise RuntimeError("a bug of the mailer")
        if fate in {"killed", "killed_sent"}:
            raise Killed

    @staticmethod
    def tokens(mail: Mail) -> list[str]:
        """Return the tokens that stand alone on a line of the mail."""
        return [line for line in mail.text.splitlines() if _GROUPED.fullmatch(line)]


class CheapHasher:
    """
    A hasher for tests alone: one round of SHA-256, and each verification is told.

    Ten thousands of steps can't wait for Argon2.
    """

    def __init__(self) -> None:
        self.verified: int = 0
        self.asked: Callable[[], None] = lambda: None

    def hash(self, *, password: str) -> str:
        """Hash with a salt."""
        salt = secrets.token_hex(4)
        return f"{salt}${_digest(salt, password)}"

    def verify(self, *, password: str, password_hash: str) -> bool:
        """Compare, and tell that it was asked."""
        self.verified += 1
        self.asked()
        salt, _, kept = password_hash.partition("$")
        return kept == _digest(salt, password)

    def needs_rehash(self, *, password_hash: str) -> bool:  # noqa: ARG002  the port's
        """Never."""
        return False


class WatchedStorage:
    """
    Passes every call on to *inner*, tells what was written, and fails as it is told.

    Args:
        inner: The storage under test.
    """

    def __init__(self, inner: Storage) -> None:
        self.inner = inner
        self.conflicts = 0
        self.met_conflict = False
        self.meddler: Callable[[], None] | None = None
        self.calls = 0
        self.killed_at: int | None = None
        self.loses_answer = False
        self.written: Callable[[Sequence[Change]], None] = lambda _: None
        self.queued: Callable[[Sequence[Any]], None] = lambda _: None

    def replace(self, changes: Sequence[Change]) -> None:
        """Refuse, or let another writer in, or pass on."""
        self._called()
        if self.meddler is not None and changes:
            meddler, self.meddler = self.meddler, None
            meddler()
        if self.conflicts and changes:
            self.conflicts -= 1
            self.met_conflict = True
            raise ConflictError("injected")
        try:
            self.inner.replace(changes)
        except ConflictError:
            self.met_conflict = True
            raise
        self.written(changes)
        self.queued([intent for change in changes for intent in change.intents])
        if self.loses_answer and changes:
            raise Killed

    def enqueue(self, intents: Any) -> None:  # noqa: ANN401  the port's
        """Pass on, and tell."""
        self._called()
        ready = list(intents)
        self.inner.enqueue(ready)
        self.queued(ready)

    def revive(self) -> None:
        """Let the next process begin: nothing is injected any more."""
        self.killed_at, self.calls, self.loses_answer = None, 0, False
        self.conflicts, self.meddler, self.met_conflict = 0, None, False

    def kill(self) -> None:
        """Let every further call fail, as in a process that is gone."""
        self.killed_at = self.calls

    def _called(self) -> None:
        if self.killed_at is not None and self.calls >= self.killed_at:
            raise Killed
        self.calls += 1

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever the port has
        method = getattr(self.inner, name)

        def passed_on(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  the port's
            self._called()
            return method(*args, **kwargs)

        return passed_on


def _digest(salt: str, password: str) -> str:
    return hashlib.sha256(f"{salt}:{password}".encode()).hexdigest()
