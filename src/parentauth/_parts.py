"""What every flow of the shell works with: the ports, the rules, and small steps they share."""

import random
import secrets
import time

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import new as hmac_new
from typing import TypeVar

import attrs

from parentauth import _lifecycle, _sessions
from parentauth._canonical import digest, username_key
from parentauth._codec import TokenCodec
from parentauth._devices import Devices
from parentauth._events import Announcer, Event, EventKind
from parentauth._model import Account, Client, Status
from parentauth._passwords import PasswordPolicy
from parentauth._sessions import SessionRules
from parentauth._site import School, Site
from parentauth._slots import Slots
from parentauth._throttling import Guard, Network, prefix_of
from parentauth.exceptions import BusyError, ConflictError
from parentauth.ports import Clock, Hasher, Mailer, Storage, Throttle

T = TypeVar("T")
ATTEMPTS = 10
PAGE = 500
PATIENCE = 2.0  # seconds


@attrs.frozen
class Lifetimes:
    """
    How long things last.

    Args:
        first_login: A token for a first connection.
        reset: A token for a forgotten password.
        reset_delay: Rows of reset requests fall due after a random time between these.
        not_before: Tokens and sessions made earlier are dead (a restored backup), or None.
    """

    first_login: timedelta
    reset: timedelta
    reset_delay: tuple[timedelta, timedelta]
    not_before: datetime | None


@attrs.frozen
class Parts:
    """The ports and the rules."""

    storage: Storage
    mailer: Mailer
    throttle: Throttle
    hasher: Hasher
    clock: Clock
    site: Site
    school: School
    policy: PasswordPolicy
    lifetimes: Lifetimes
    sessions: SessionRules
    codec: TokenCodec
    devices: Devices
    slots: Slots
    announce: Announcer
    exempt: tuple[Network, ...]
    reset_pace: int
    locale: str
    sender: str
    dummy_hash: str = attrs.field(repr=False)
    typed_key: bytes = attrs.field(repr=False)

    def guard(self, now: datetime) -> Guard:
        """Return the limits as of *now*."""
        return Guard(self.throttle, now)

    def prefix(self, client: Client) -> str | None:
        """Return the client's prefix, or None where it is not counted."""
        return prefix_of(client.address, self.exempt)

    def status_of(self, account: Account, now: datetime) -> Status:
        """Return where a parent stands."""
        return _lifecycle.status_of(account, now=now, not_before=self.lifetimes.not_before)

    def username_digest(self, username: str) -> str:
        """Return a keyed digest of what was typed: it may have been a password."""
        message = username_key(username).encode("utf-8", "surrogatepass")
        return hmac_new(self.typed_key, message, sha256).hexdigest()

    @staticmethod
    def device_digest(username: str) -> str:
        """Return what a remembered device is bound to; it outlives a change of secret keys."""
        return digest("device", username_key(username))

    def tell(
        self,
        kind: EventKind,
        *,
        at: datetime,
        account_id: str | None = None,
        reason: str = "",
        client: Client | None = None,
    ) -> None:
        """Announce an outcome."""
        prefix = prefix_of(client.address) if client else None
        self.announce(Event(kind, at, account_id, reason, prefix))

    def hash(self, password: str) -> str:
        """
        Hash a password when a slot is free.

        Raises:
            BusyError: None became free in time.
        """
        try:
            with self.slots.take():
                return self.hasher.hash(password=password)
        except BusyError:
            self.tell(EventKind.BUSY, at=self.clock())
            raise


def new_session() -> tuple[str, str]:
    """
    Return a session's opaque id and its digest.

    Source:
        OWASP ASVS 5.0, 7.2.3: at least 128 bits; 256 here.
    """
    session_id = secrets.token_urlsafe(32)
    return session_id, _sessions.session_digest(session_id)


def pages_of(storage: Storage) -> Iterator[Sequence[Account]]:
    """Give all accounts, page by page."""
    after: str | None = None
    while page := storage.scan(after, PAGE):
        yield page
        after = page[-1].id


def until_current(step: Callable[[], T]) -> T:
    """
    Repeat *step* (read, judge, replace) until nobody came in between.

    Raises:
        ConflictError: Ten attempts, or a few seconds, were not enough.
    """
    deadline = time.monotonic() + PATIENCE
    for attempt in range(1, ATTEMPTS):
        try:
            return step()
        except ConflictError:
            # A locked database answers late; nobody waits for ten such answers.
            if time.monotonic() > deadline:
                raise
            # Without jitter those who lose together try together again.
            time.sleep(random.uniform(0, 0.005 * attempt))  # noqa: S311  no secret
    return step()
