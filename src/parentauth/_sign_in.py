"""Username and password: one answer and one cost, whatever is wrong."""

from collections.abc import Sequence
from datetime import datetime

import attrs

from parentauth import _selection, _sessions
from parentauth._canonical import USERNAME_MAX
from parentauth._events import EventKind
from parentauth._inputs import checked_text
from parentauth._model import Account, Client, Key, SignedIn
from parentauth._parts import Parts, new_session, until_current
from parentauth._passwords import normalize
from parentauth.exceptions import (
    BusyError,
    InputError,
    SignInRejectedError,
    ThrottledError,
)
from parentauth.ports import Change


@attrs.frozen
class Attempt:
    """What was typed, and the counter that it is counted on."""

    username: str = attrs.field(repr=False)
    password: str = attrs.field(repr=False)
    counter: str


@attrs.frozen
class Verified:
    """The hash that the password matched, and a better one where parameters grew."""

    password_hash: str = attrs.field(repr=False)
    better: str | None = attrs.field(repr=False)


def sign_in(parts: Parts, *, username: str, password: str, client: Client) -> SignedIn:
    """Throttle peeked, slot taken, throttle hit, password verified, session opened."""
    now = parts.clock()
    try:
        attempt = _admitted(parts, username, password, client, now)
        account, session_id = _opened(parts, attempt, client, now)
    except ThrottledError:
        parts.tell(EventKind.THROTTLED, at=now, reason="sign_in", client=client)
        raise
    except BusyError:
        parts.tell(EventKind.BUSY, at=now, reason="sign_in", client=client)
        raise
    except (SignInRejectedError, InputError) as error:
        parts.guard(now).count_failure(parts.prefix(client))
        parts.tell(EventKind.SIGN_IN_REFUSED, at=now, reason=error.reason, client=client)
        raise
    parts.guard(now).clear_sign_in(attempt.counter)
    parts.tell(EventKind.SIGNED_IN, at=now, account_id=account.id, client=client)
    return welcome(parts, account, session_id, now=now)


def welcome(parts: Parts, account: Account, session_id: str, *, now: datetime) -> SignedIn:
    """Return what a parent gets who has just signed in, by whichever way."""
    children = _selection.children_of(account, now=now)
    child = _selection.current(children, None)
    return SignedIn(
        parent=_selection.parent_of(account),
        landing=_selection.landing_of(children, child),
        session_id=session_id,
        device=parts.devices.remember(parts.device_digest(account.username), now=now),
    )


def counters(parts: Parts, username: str) -> tuple[str, str]:
    """Return the counters of strangers' and of remembered devices' attempts."""
    digest = parts.username_digest(username)
    return f"sign-in:{digest}", f"sign-in-device:{digest}"


def left_behind(parts: Parts, client: Client, account: Account) -> Sequence[Change]:
    """End the session of another account that this browser comes with."""
    if client.session_id is None:
        return ()
    digest = _sessions.session_digest(client.session_id)
    other = parts.storage.account(Key.by_session(digest))
    if other is None or other.id == account.id:
        return ()
    return (Change(other, _sessions.ended(other, digest)),)


def _admitted(parts: Parts, username: str, password: str, client: Client, now: datetime) -> Attempt:
    guard = parts.guard(now)
    guard.peek_failures(parts.prefix(client))
    # Cut here, before it is counted: a name that is too long to exist costs what any other
    # costs, and no two names that are looked up alike are counted apart.
    username = checked_text(username, "username")[: USERNAME_MAX + 1]
    password = normalize(checked_text(password, "password"))
    stranger, remembered = counters(parts, username)
    known = parts.devices.knows(client.device, parts.device_digest(username), now=now)
    attempt = Attempt(username, password, remembered if known else stranger)
    guard.peek_sign_in(attempt.counter)
    return attempt


def _opened(parts: Parts, attempt: Attempt, client: Client, now: datetime) -> tuple[Account, str]:
    session_id, digest = new_session()
    verified: Verified | None = None

    def step() -> Account:
        nonlocal verified
        account = parts.storage.account(Key.by_username(attempt.username))
        password_hash = account.password_hash if account and account.active else None
        if verified is None or verified.password_hash != password_hash:
            verified = _verified(parts, attempt, password_hash, now)
        if account is None:  # pragma: no cover  unreachable: nothing was verified then
            raise SignInRejectedError
        after = _without_own(account, client)
        after = _sessions.opened(after, digest, parts.sessions, now=now)
        if verified.better is not None:
            after = attrs.evolve(after, password_hash=verified.better)
        parts.storage.replace([Change(account, after), *left_behind(parts, client, account)])
        return after

    return until_current(step), session_id


def _verified(parts: Parts, attempt: Attempt, password_hash: str | None, now: datetime) -> Verified:
    """Verify once, against the dummy hash where there is none; it is the same cost."""
    with parts.slots.take():
        parts.guard(now).count_sign_in(attempt.counter)
        right = parts.hasher.verify(
            password=attempt.password, password_hash=password_hash or parts.dummy_hash
        )
        if not right or password_hash is None:
            raise SignInRejectedError
        grown = parts.hasher.needs_rehash(password_hash=password_hash)
        better = parts.hasher.hash(password=attempt.password) if grown else None
    return Verified(password_hash, better)


def _without_own(account: Account, client: Client) -> Account:
    """Drop the session that this browser came with: a sign-in gives a new id."""
    if client.session_id is None:
        return account
    return _sessions.ended(account, _sessions.session_digest(client.session_id))
