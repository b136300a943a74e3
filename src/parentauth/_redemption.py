"""The way of a token: checked as often as one likes, spent with a new password."""

from datetime import datetime

from parentauth import _lifecycle, _selection, _sessions, _tokens
from parentauth._codec import TokenCodec
from parentauth._events import EventKind
from parentauth._inputs import checked_text
from parentauth._model import Account, CheckedToken, Client, Key, Landing, SignedIn, Token
from parentauth._notices import password_changed
from parentauth._parts import Parts, new_session, until_current
from parentauth._passwords import normalize
from parentauth._sign_in import counters, left_behind, welcome
from parentauth.exceptions import (
    InputError,
    OtherAccountError,
    PasswordRejectedError,
    ThrottledError,
    TokenRejectedError,
)
from parentauth.ports import Change


def check_token(parts: Parts, token: str, *, client: Client, switch: bool) -> CheckedToken:
    """Look, and change nothing: mail scanners submit this form, too."""
    now = parts.clock()
    _, account, found = _judged(parts, token, client, now)
    if not switch:
        _refuse_other(parts, account, client, now)
    return CheckedToken(
        parent=_selection.parent_of(account), purpose=found.purpose, expires_at=found.expires_at
    )


def visit_link(parts: Parts, token: str, *, client: Client) -> Landing | None:
    """Look at a link only for who is signed in; count nothing, write nothing."""
    if client.session_id is None:
        return None
    now, account = parts.clock(), None
    try:
        digest = _digest(parts, token)
        account = _holder(parts, digest)
        _verdict(parts, account, digest, now)
    except TokenRejectedError as error:
        if account is None or error.reason != "used":
            return None
        return _landing(parts, account, client, now)
    _refuse_other(parts, account, client, now)
    return None


def define_password(
    parts: Parts, token: str, *, new_password: str, confirmation: str, client: Client, switch: bool
) -> SignedIn:
    """Codec, read, verdict, policy, Argon2, and one replace that spends the token."""
    now = parts.clock()
    digest, account, _ = _judged(parts, token, client, now)
    if not switch:
        _refuse_other(parts, account, client, now)
    refuse_weak(parts, account, new_password, confirmation, now, token)
    password_hash = parts.hash(normalize(new_password))
    session_id, session = new_session()

    def step() -> Account:
        # The time anew: a token must be live when it is spent, not when it was looked at.
        before, now = _holder(parts, digest), parts.clock()
        after = _tokens.redeem(before, digest, now=now, not_before=parts.lifetimes.not_before)
        after = _lifecycle.with_password(after, password_hash, now=now)
        after = _sessions.opened(after, session, parts.sessions, now=now)
        change = Change(before, after, [password_changed(after, now=now)])
        parts.storage.replace([change, *left_behind(parts, client, after)])
        return after

    try:
        account = until_current(step)
    except TokenRejectedError as error:
        _tell_refused(parts, error, account, client, now)
        raise
    parts.guard(now).clear_sign_in(*counters(parts, account.username))
    for kind in (
        EventKind.TOKEN_REDEEMED,
        EventKind.PASSWORD_CHANGED,
        EventKind.SESSIONS_ENDED,
        EventKind.SIGNED_IN,
    ):
        parts.tell(kind, at=now, account_id=account.id, client=client)
    return welcome(parts, account, session_id, now=now)


def refuse_weak(
    parts: Parts,
    account: Account,
    new_password: str,
    confirmation: str,
    now: datetime,
    *unfit: str,
) -> None:
    """
    Hold the new password against the policy.

    Args:
        unfit: What else it must not be: the token in the mail.

    Raises:
        PasswordRejectedError: With all broken rules; nothing is burnt.
    """
    violations = parts.policy.violations(
        checked_text(new_password, "new_password"),
        confirmation=checked_text(confirmation, "confirmation"),
        context=_context(parts, account),
        unfit=unfit,
    )
    if violations:
        reason = ",".join(violation.code for violation in violations)
        parts.tell(EventKind.PASSWORD_REFUSED, at=now, account_id=account.id, reason=reason)
        raise PasswordRejectedError(violations)


def _judged(parts: Parts, token: str, client: Client, now: datetime) -> tuple[str, Account, Token]:
    guard, prefix = parts.guard(now), parts.prefix(client)
    account: Account | None = None
    try:
        guard.peek_failures(prefix)
        digest = _digest(parts, token)
        account = _holder(parts, digest)
        found = _verdict(parts, account, digest, now)
    except ThrottledError:
        parts.tell(EventKind.THROTTLED, at=now, reason="token", client=client)
        raise
    except InputError:
        guard.count_failure(prefix)
        parts.tell(EventKind.BAD_INPUT, at=now, client=client)
        raise
    except TokenRejectedError as error:
        # A genuine token that is too old is no guess.
        if error.reason == "unknown":
            guard.count_failure(prefix)
        _tell_refused(parts, error, account, client, now)
        raise
    return digest, account, found


def _digest(parts: Parts, token: str) -> str:
    """Read the token without I/O; typing errors and garbage never reach the storage."""
    random = parts.codec.read(checked_text(token, "token"))
    if random is None:
        raise TokenRejectedError("unknown")
    return TokenCodec.digest(random)


def _holder(parts: Parts, digest: str) -> Account:
    account = parts.storage.account(Key.by_token(digest))
    if account is None:
        raise TokenRejectedError("unknown")
    return account


def _verdict(parts: Parts, account: Account, digest: str, now: datetime) -> Token:
    return _tokens.verdict(account, digest, now=now, not_before=parts.lifetimes.not_before)


def _landing(parts: Parts, account: Account, client: Client, now: datetime) -> Landing | None:
    """Return where the account's own parent goes, if signed in here."""
    digest = _sessions.session_digest(client.session_id or "")
    session = _sessions.find(account, digest, parts.sessions, now=now)
    return None if session is None else _selection.present(account, session, now=now).landing


def _refuse_other(parts: Parts, account: Account, client: Client, now: datetime) -> None:
    """
    Ask before a link ends another account's session in this browser.

    Otherwise an attacker's own link would sign a parent in as the attacker.
    """
    if client.session_id is None:
        return
    digest = _sessions.session_digest(client.session_id)
    other = parts.storage.account(Key.by_session(digest))
    if _sessions.find(other, digest, parts.sessions, now=now) is None or other is None:
        return
    if other.id != account.id:
        raise OtherAccountError(wanted=account.username, present=other.username)


def _tell_refused(
    parts: Parts, error: TokenRejectedError, account: Account | None, client: Client, now: datetime
) -> None:
    parts.tell(
        EventKind.TOKEN_REFUSED,
        at=now,
        account_id=account.id if account else None,
        reason=error.reason,
        client=client,
    )


def _context(parts: Parts, account: Account) -> list[str]:
    """Return what a password must not be made of (ASVS 5.0, 6.1.2 and 6.2.11)."""
    children = [link.name for link in account.children]
    email = [account.email] if account.email else []
    return [account.username, account.name, parts.school.name, parts.site.host, *email, *children]
