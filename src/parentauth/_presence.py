"""A signed-in parent's requests: resume, choose a child, change the password, leave."""

from contextlib import suppress

from parentauth import _lifecycle, _selection, _sessions
from parentauth._events import EventKind
from parentauth._inputs import checked_text
from parentauth._model import Account, Client, Key, Present, Session, SignedIn
from parentauth._notices import password_changed
from parentauth._parts import Parts, new_session, until_current
from parentauth._passwords import normalize
from parentauth._redemption import refuse_weak
from parentauth._sign_in import counters, welcome
from parentauth.exceptions import (
    BusyError,
    ChildRejectedError,
    ConflictError,
    CurrentPasswordError,
    NotSignedInError,
    ThrottledError,
)
from parentauth.ports import Change


def resume(parts: Parts, session_id: str | None) -> Present | None:
    """Read once; "last seen" is written at most every five minutes, and let go on conflict."""
    now = parts.clock()
    account, session = _found(parts, session_id)
    if account is None or session is None:
        return None
    after = _sessions.seen(account, session, parts.sessions, now=now)
    if after is not account:
        with suppress(ConflictError):
            parts.storage.replace([Change(account, after)])
    return _selection.present(account, session, now=now)


def select_child(parts: Parts, session_id: str, child_id: str) -> Present:
    """Check the link on the account as it is now, and note the choice in the session."""
    child_id = checked_text(child_id, "child")

    def step() -> Present:
        now = parts.clock()
        account, session = _required(parts, session_id)
        children = _selection.children_of(account, now=now)
        if child_id not in {child.id for child in children}:
            parts.tell(EventKind.CHILD_REFUSED, at=now, account_id=account.id)
            raise ChildRejectedError
        after = _sessions.with_child(account, session, child_id, now=now)
        parts.storage.replace([Change(account, after)])
        parts.tell(EventKind.CHILD_SELECTED, at=now, account_id=account.id)
        chosen = _sessions.find(after, session.digest, parts.sessions, now=now)
        return _selection.present(after, chosen or session, now=now)

    return until_current(step)


def change_password(
    parts: Parts,
    session_id: str,
    *,
    current: str,
    new_password: str,
    confirmation: str,
    client: Client,
) -> SignedIn:
    """Verify the current password, set the new one, and give the session a new id."""
    now = parts.clock()
    account, _ = _required(parts, session_id)
    _refuse_wrong(parts, account, current, client)
    refuse_weak(parts, account, new_password, confirmation, now)
    verified, password_hash = account.password_hash, parts.hash(normalize(new_password))
    new_id, digest = new_session()

    def step() -> Account:
        before, _ = _required(parts, session_id)
        if before.password_hash != verified and not parts.hasher.verify(
            password=normalize(current), password_hash=before.password_hash or parts.dummy_hash
        ):
            # Another password came between our look and our write, not just a better hash.
            raise CurrentPasswordError
        after = _lifecycle.with_password(before, password_hash, now=now)
        after = _sessions.opened(after, digest, parts.sessions, now=now)
        parts.storage.replace([Change(before, after, [password_changed(after, now=now)])])
        return after

    account = until_current(step)
    parts.guard(now).clear_sign_in(*counters(parts, account.username))
    for kind in (EventKind.PASSWORD_CHANGED, EventKind.SESSIONS_ENDED):
        parts.tell(kind, at=now, account_id=account.id, client=client)
    return welcome(parts, account, new_id, now=now)


def sign_out(parts: Parts, session_id: str | None) -> None:
    """End the session where it is kept, so that a saved cookie opens nothing."""

    def step() -> Account | None:
        account, session = _found(parts, session_id)
        if account is None or session is None:
            return None
        parts.storage.replace([Change(account, _sessions.ended(account, session.digest))])
        return account

    account = until_current(step)
    if account is not None:
        parts.tell(EventKind.SIGNED_OUT, at=parts.clock(), account_id=account.id)


def _found(parts: Parts, session_id: str | None) -> tuple[Account | None, Session | None]:
    if not session_id:
        return None, None
    digest = _sessions.session_digest(session_id)
    account = parts.storage.account(Key.by_session(digest))
    return account, _sessions.find(account, digest, parts.sessions, now=parts.clock())


def _required(parts: Parts, session_id: str) -> tuple[Account, Session]:
    account, session = _found(parts, session_id)
    if account is None or session is None:
        raise NotSignedInError
    return account, session


def _refuse_wrong(parts: Parts, account: Account, current: str, client: Client) -> None:
    """Count the attempt like one at sign-in: a stolen session must not become a guesser."""
    now = parts.clock()
    current = normalize(checked_text(current, "current_password"))
    guard, counter = parts.guard(now), counters(parts, account.username)[1]
    try:
        guard.peek_sign_in(counter)
        with parts.slots.take():
            guard.count_sign_in(counter)
            right = parts.hasher.verify(
                password=current, password_hash=account.password_hash or parts.dummy_hash
            )
    except (ThrottledError, BusyError) as error:
        kind = EventKind.BUSY if isinstance(error, BusyError) else EventKind.THROTTLED
        parts.tell(kind, at=now, account_id=account.id, reason="change", client=client)
        raise
    if not right or account.password_hash is None:
        guard.count_failure(parts.prefix(client))
        parts.tell(
            EventKind.PASSWORD_REFUSED,
            at=now,
            account_id=account.id,
            reason="current_password",
            client=client,
        )
        raise CurrentPasswordError
