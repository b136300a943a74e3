"""
Signed-in parents: opened, last seen, chosen child.

Account in, account out; ended sessions are not kept.
"""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

import attrs

from parentauth._model import Account, Session
from parentauth.exceptions import ConfigurationError

SESSIONS_KEPT: Final = 10
SEEN_EVERY: Final = timedelta(minutes=5)
ABSOLUTE_MAX: Final = timedelta(days=30)


@attrs.frozen
class SessionRules:
    """
    How long a session lives.

    Args:
        idle: Without a request.
        absolute: In all; at most 30 days.
        not_before: Sessions opened earlier are dead (a restored backup), or None.

    Raises:
        ConfigurationError: A limit is not positive, or above 30 days.

    Source:
        OWASP ASVS 5.0, 7.3.1 and 7.3.2; NIST SP 800-63B-4, 2.1.3.
    """

    idle: timedelta = timedelta(minutes=60)
    absolute: timedelta = timedelta(hours=12)
    not_before: datetime | None = None

    def __attrs_post_init__(self) -> None:
        """Check the limits."""
        if not timedelta(0) < self.idle <= self.absolute <= ABSOLUTE_MAX:
            raise ConfigurationError(
                "session limits: set 0 < idle <= absolute <= 30 days "
                f"(now idle {self.idle}, absolute {self.absolute})"
            )

    def is_live(self, session: Session, now: datetime) -> bool:
        """Tell whether the session may still be used."""
        return (
            now - session.last_seen_at < self.idle
            and now - session.opened_at < self.absolute
            and (self.not_before is None or session.opened_at >= self.not_before)
        )


def session_digest(session_id: str) -> str:
    """Return what is kept of a session's opaque id."""
    data = b"parentauth/session/v1:" + session_id.encode("utf-8", "surrogatepass")
    return sha256(data).hexdigest()


def find(
    account: Account | None, digest: str, rules: SessionRules, *, now: datetime
) -> Session | None:
    """Return the live session with that digest, or None."""
    if account is None or not account.active:
        return None
    for session in account.sessions:
        if session.digest == digest:
            return session if rules.is_live(session, now) else None
    return None


def opened(account: Account, digest: str, rules: SessionRules, *, now: datetime) -> Account:
    """Open a session; of more than ten the oldest gives way."""
    live = [session for session in account.sessions if rules.is_live(session, now)]
    live.sort(key=lambda session: session.opened_at)
    session = Session(digest=digest, opened_at=now, last_seen_at=now)
    kept = (*live[max(0, len(live) + 1 - SESSIONS_KEPT) :], session)
    return attrs.evolve(account, sessions=kept, last_sign_in_at=now)


def ended(account: Account, digest: str) -> Account:
    """End one session."""
    kept = tuple(session for session in account.sessions if session.digest != digest)
    return attrs.evolve(account, sessions=kept)


def all_ended(account: Account) -> Account:
    """End every session."""
    return attrs.evolve(account, sessions=())


def seen(account: Account, session: Session, rules: SessionRules, *, now: datetime) -> Account:
    """Note that the session was used, at most every five minutes."""
    # A short limit is noted more often: who goes on reading must not be signed out.
    if now - session.last_seen_at < min(SEEN_EVERY, rules.idle / 12):
        return account
    return _updated(account, attrs.evolve(session, last_seen_at=now))


def with_child(account: Account, session: Session, child_id: str, *, now: datetime) -> Account:
    """Note the child that the parent chose in this session."""
    return _updated(account, attrs.evolve(session, child_id=child_id, last_seen_at=now))


def purged(account: Account, rules: SessionRules, *, now: datetime) -> Account:
    """Forget sessions that are over."""
    kept = tuple(session for session in account.sessions if rules.is_live(session, now))
    return attrs.evolve(account, sessions=kept)


def _updated(account: Account, session: Session) -> Account:
    sessions = tuple(
        session if other.digest == session.digest else other for other in account.sessions
    )
    return attrs.evolve(account, sessions=sessions)
