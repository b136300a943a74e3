"""The values: an account and what belongs to it, what a visitor is, what a host sees."""

import enum

from collections.abc import Collection
from datetime import datetime
from typing import Self

import attrs

from parentauth._canonical import digest, email_key, username_key


class Purpose(enum.Enum):
    """What a connection token is for."""

    FIRST_LOGIN = "first_login"
    RESET = "reset"


class Origin(enum.Enum):
    """Who asked for a connection token."""

    SCHOOL = "school"
    VISITOR = "visitor"


class Status(enum.Enum):
    """
    Where a parent stands, computed from the account and the clock, never stored.

    There is no "opened": mail scanners open.
    """

    NO_ADDRESS = "no_address"
    NOT_INVITED = "not_invited"
    WAITING = "waiting"
    EXPIRED = "expired"
    CONNECTED = "connected"
    CLOSED = "closed"


@attrs.frozen
class ChildLink:
    """
    The account's own row about a child that it may enter.

    Args:
        since: From when the link is live, or None: always was.
        until: Until when (exclusive), or None: no end known.
    """

    child_id: str
    name: str
    school_class: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def has_ended(self, now: datetime | None) -> bool:
        """Tell whether the link is over at *now*; at None nothing is."""
        return now is not None and self.until is not None and self.until <= now

    def is_live(self, now: datetime) -> bool:
        """Tell whether the parent may enter this child's pages at *now*."""
        return (self.since is None or self.since <= now) and (
            self.until is None or now < self.until
        )


@attrs.frozen
class Token:
    """
    A connection token as it is kept: its digest and its dates, never itself.

    Args:
        digest: SHA-256 of its random bytes, in 64 hexadecimal digits.
        address_digest: Digest of the canonical address that it was mailed to.
        expires_at: First moment at which it is too late.
    """

    digest: str = attrs.field(repr=False)
    purpose: Purpose
    origin: Origin
    address_digest: str = attrs.field(repr=False)
    issued_at: datetime
    expires_at: datetime
    redeemed_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_live(self, now: datetime) -> bool:
        """Tell whether it was neither redeemed nor revoked and is not expired."""
        return self.redeemed_at is None and self.revoked_at is None and now < self.expires_at

    @property
    def ended_at(self) -> datetime:
        """The moment at which it stopped being of use, at the latest when it expired."""
        return min(self.redeemed_at or self.expires_at, self.revoked_at or self.expires_at)


@attrs.frozen
class Session:
    """A signed-in parent, as it is kept: the digest of an opaque id."""

    digest: str = attrs.field(repr=False)
    opened_at: datetime
    last_seen_at: datetime
    child_id: str | None = None


@attrs.frozen
class Account:
    """
    A parent's account, the one aggregate: tokens, sessions and child links travel with it.

    Args:
        id: The school's own key for that person, where it has one.
        locale: ``fr``, ``nl``, ``de``, ``en``, or None: the portal's.
        password_hash: What the hasher made, or None: no password yet.
        version: Counted up by the storage at each write; what compare-and-swap compares.
    """

    id: str
    username: str
    name: str = ""
    email: str | None = None
    locale: str | None = None
    password_hash: str | None = attrs.field(default=None, repr=False)
    active: bool = True
    invited_at: datetime | None = None
    invited_until: datetime | None = None
    connected_at: datetime | None = None
    last_sign_in_at: datetime | None = None
    children: tuple[ChildLink, ...] = ()
    tokens: tuple[Token, ...] = attrs.field(default=(), repr=False)
    sessions: tuple[Session, ...] = attrs.field(default=(), repr=False)
    version: int = 0

    def has_child(self, now: datetime) -> bool:
        """Tell whether any child link is live at *now*."""
        return any(link.is_live(now) for link in self.children)

    @property
    def keys(self) -> Collection["Key"]:
        """Every key that finds this account, the address apart."""
        return (
            Key.by_id(self.id),
            Key.by_username(self.username),
            *(Key.by_token(token.digest) for token in self.tokens),
            *(Key.by_session(session.digest) for session in self.sessions),
        )


class KeyKind(enum.Enum):
    """By what an account is looked up."""

    ID = "id"
    USERNAME = "username"
    TOKEN = "token"
    SESSION = "session"


@attrs.frozen
class Key:
    """
    A key that finds at most one account.

    Args:
        digest: 64 hexadecimal digits in ASCII, ready for an indexed column.
    """

    kind: KeyKind
    digest: str = attrs.field(repr=False)

    @classmethod
    def by_id(cls, account_id: str) -> Self:
        """Find by the account's id, exactly as given."""
        return cls(KeyKind.ID, digest("id", account_id))

    @classmethod
    def by_username(cls, username: str) -> Self:
        """Find by username, in any spelling that has the same canonical form."""
        return cls(KeyKind.USERNAME, digest("username", username_key(username)))

    @classmethod
    def by_token(cls, token_digest: str) -> Self:
        """Find by the digest of one of the account's tokens."""
        return cls(KeyKind.TOKEN, token_digest)

    @classmethod
    def by_session(cls, session_digest: str) -> Self:
        """Find by the digest of one of the account's sessions."""
        return cls(KeyKind.SESSION, session_digest)


def address_digest(address: str) -> str:
    """Return the digest under which an e-mail address is looked up and bound to a token."""
    return digest("address", email_key(address))


@attrs.frozen
class Parent:
    """What a host gets to see of an account."""

    id: str
    username: str
    name: str
    locale: str | None


@attrs.frozen
class Child:
    """What a host gets to see of a child."""

    id: str
    name: str
    school_class: str


@attrs.frozen
class Dashboard:
    """The parent lands on this child's dashboard."""

    child: Child


@attrs.frozen
class ChooseChild:
    """The parent picks one of several children first."""

    children: tuple[Child, ...]


@attrs.frozen
class NoChild:
    """No child is linked to the account now."""


Landing = Dashboard | ChooseChild | NoChild


@attrs.frozen
class Client:
    """
    What a flow knows of the visitor.

    Args:
        address: The IP address, after trusted proxies, or None.
        device: The value of the remembered-device cookie, or None.
        session_id: The value of the session cookie, or None.
    """

    address: str | None = None
    device: str | None = attrs.field(default=None, repr=False)
    session_id: str | None = attrs.field(default=None, repr=False)


@attrs.frozen
class Present:
    """
    A signed-in parent on this request.

    Args:
        child: The child whose pages are open, or None: not chosen yet, or none.
        children: All the children that the parent may enter now.
    """

    parent: Parent
    child: Child | None
    children: tuple[Child, ...]
    landing: Landing


@attrs.frozen
class SignedIn:
    """
    A parent who has just signed in.

    Args:
        session_id: For the session cookie.
        device: For the remembered-device cookie.
    """

    parent: Parent
    landing: Landing
    session_id: str = attrs.field(repr=False)
    device: str = attrs.field(repr=False)


@attrs.frozen
class CheckedToken:
    """What a live token is for."""

    parent: Parent
    purpose: Purpose
    expires_at: datetime
