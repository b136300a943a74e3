"""
The model: what a school's portal should do, in the plainest words.

Mutable, slow and small; it knows no storage, and shares no decision with the library.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import attrs

from parentauth import Origin, Status
from parentauth.testing.throttles import Model as Counts

TTL: Final = timedelta(days=14)
IDLE: Final = timedelta(minutes=60)
ABSOLUTE: Final = timedelta(hours=12)
SEEN_EVERY: Final = timedelta(minutes=5)
QUARTER: Final = timedelta(minutes=15)
MONTH: Final = timedelta(days=30)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
LIVE: Final = 5
SESSIONS: Final = 10


@attrs.define(eq=False)
class ModelToken:
    """
    A token that was issued.

    Args:
        raw: As it was mailed, or None: nobody ever received it.
        key: Which of the portal's keys signed it.
    """

    digest: str
    account: "ModelAccount"
    origin: Origin
    address: str
    issued_at: datetime
    raw: str | None = None
    key: int = 0
    redeemed: bool = False
    revoked: bool = False
    withdrawn: bool = False

    def is_live(self, now: datetime) -> bool:
        """Tell whether its time is not over and nothing ended it."""
        over = self.redeemed or self.revoked or self.withdrawn
        return not over and now < self.issued_at + TTL


@attrs.define(eq=False)
class ModelSession:
    """A session that was opened; ``raw`` is None where the answer was lost."""

    digest: str
    account: "ModelAccount"
    opened_at: datetime
    seen_at: datetime
    raw: str | None = None
    child: str | None = None
    ended: bool = False

    def is_live(self, now: datetime) -> bool:
        """Tell whether it was not ended, and neither limit is reached."""
        return not self.ended and now < self.seen_at + IDLE and now < self.opened_at + ABSOLUTE

    def used(self, now: datetime) -> None:
        """Note that it was used, at most every five minutes."""
        if now >= self.seen_at + SEEN_EVERY:
            self.seen_at = now


@attrs.define(eq=False)
class ModelLink:
    """What one parent's own row says of a child."""

    name: str
    since: datetime | None
    until: datetime | None

    def is_live(self, now: datetime) -> bool:
        """Tell whether *now* is in its period."""
        begun = self.since is None or self.since <= now
        return begun and (self.until is None or now < self.until)


@attrs.define(eq=False)
class ModelAccount:
    """One parent."""

    id: str
    username: str
    email: str | None = None
    password: str | None = None
    active: bool = True
    connected: bool = False
    erased: bool = False
    links: dict[str, ModelLink] = attrs.field(factory=dict)
    tokens: list[ModelToken] = attrs.field(factory=list)
    sessions: list[ModelSession] = attrs.field(factory=list)
    invitations: list[ModelToken] = attrs.field(factory=list)

    def live_tokens(self, now: datetime, origin: Origin | None = None) -> list[ModelToken]:
        """Return the live ones, the oldest first."""
        return [
            token
            for token in self.tokens
            if token.is_live(now) and origin in {None, token.origin} and not self.erased
        ]

    def live_sessions(self, now: datetime) -> list[ModelSession]:
        """Return the open ones, the oldest first."""
        return [session for session in self.sessions if session.is_live(now)]

    def children(self, now: datetime) -> list[str]:
        """Return the children whose link is live."""
        return [child for child, link in self.links.items() if link.is_live(now)]

    def status(self, now: datetime) -> Status:
        """Return where the parent stands."""
        if not self.active:
            return Status.CLOSED
        if self.connected:
            return Status.CONNECTED
        if self.email is None:
            return Status.NO_ADDRESS
        if self.live_tokens(now, Origin.SCHOOL):
            return Status.WAITING
        sent = [token for token in self.invitations if not token.withdrawn]
        return Status.EXPIRED if sent else Status.NOT_INVITED

    # -- What happens to it

    def issue(self, token: ModelToken, now: datetime) -> None:
        """Keep a token; the oldest live one of its origin gives way to a sixth."""
        for surplus in self.live_tokens(now, token.origin)[: -(LIVE - 1)]:
            surplus.revoked = True
        self.tokens.append(token)
        if token.origin is Origin.SCHOOL:
            self.invitations.append(token)

    def revoke_tokens(self, now: datetime) -> None:
        """End every live token."""
        for token in self.live_tokens(now):
            token.revoked = True

    def end_sessions(self) -> None:
        """End every session."""
        for session in self.sessions:
            session.ended = True

    def set_password(self, password: str, now: datetime) -> None:
        """Take a password: tokens and sessions end."""
        self.revoke_tokens(now)
        self.end_sessions()
        self.password, self.connected = password, True

    def open_session(self, session: ModelSession, now: datetime) -> None:
        """Keep a session; the oldest gives way to an eleventh."""
        for surplus in self.live_sessions(now)[: -(SESSIONS - 1)]:
            surplus.ended = True
        self.sessions.append(session)

    def set_address(self, email: str | None, now: datetime) -> None:
        """Take an address; another one than before ends tokens and forgets invitations."""
        if (self.email and self.email.lower()) != (email and email.lower()):
            self.revoke_tokens(now)
            self.invitations.clear()
        self.email = email

    def set_active(self, *, active: bool, now: datetime) -> None:
        """Open or close it."""
        if not active:
            self.revoke_tokens(now)
            self.end_sessions()
        self.active = active


@attrs.define
class Model:
    """The school."""

    now: datetime
    accounts: dict[str, ModelAccount] = attrs.field(factory=dict)
    tokens: dict[str, ModelToken] = attrs.field(factory=dict)
    sessions: dict[str, ModelSession] = attrs.field(factory=dict)
    counts: Counts = attrs.field(factory=Counts)

    def with_username(self, username: str) -> ModelAccount | None:
        """Return who has this username."""
        found = (each for each in self.accounts.values() if each.username == username)
        return next(found, None)

    def with_address(self, address: str) -> Iterator[ModelAccount]:
        """Give who has this address, in any spelling."""
        for account in self.accounts.values():
            if account.email is not None and account.email.lower() == address.lower():
                yield account

    def statuses(self) -> dict[Status, int]:
        """Count where they stand."""
        counted = Counter(account.status(self.now) for account in self.accounts.values())
        return {status: counted[status] for status in Status}

    def verdict(self, token: ModelToken) -> str | None:
        """Return why a token opens nothing, or None."""
        account = token.account
        if account.erased or token.withdrawn:
            return "unknown"
        if not account.active:
            return "closed"
        if token.redeemed:
            return "used"
        if token.revoked or (account.email or "").lower() != token.address:
            return "revoked"
        return None if token.is_live(self.now) else "expired"

    def redeem(self, token: ModelToken, password: str) -> None:
        """Spend a token."""
        token.redeemed = True
        token.account.set_password(password, self.now)

    def erase(self, account: ModelAccount) -> None:
        """Forget an account with all that belongs to it."""
        account.erased = True
        account.revoke_tokens(self.now)
        account.end_sessions()
        del self.accounts[account.id]

    # -- Guessing

    def is_shut(self, counter: str) -> bool:
        """Tell whether no guess is left on a counter."""
        return any(
            self.counts.peek(counter + name, limit=limit, window=window, now=self.now) is not None
            for name, limit, window in (("short", 10, QUARTER), ("long", 100, MONTH))
        )

    def guess(self, counter: str) -> None:
        """Count a guess."""
        for name, limit, window in (("short", 10, QUARTER), ("long", 100, MONTH)):
            self.counts.hit(counter + name, limit=limit, window=window, now=self.now)

    def forgive(self, counter: str) -> None:
        """Forget what was guessed."""
        for name in ("short", "long"):
            self.counts.clear(counter + name)

    def admits_reset(self, address: str) -> bool:
        """Count a request for a mail; tell whether one may be queued."""
        return all(
            self.counts.hit(address + name, limit=limit, window=window, now=self.now) is None
            for name, limit, window in (("hour", 3, HOUR), ("day", 10, DAY))
        )
