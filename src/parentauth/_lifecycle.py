"""
What happens to an account as a whole: password, address, closing, status.

Whatever makes the old credentials doubtful ends them here, in one place.
"""

from datetime import datetime

import attrs

from parentauth import _sessions, _tokens
from parentauth._model import Account, Status, address_digest


def with_password(account: Account, password_hash: str, *, now: datetime) -> Account:
    """
    Set a new password: every live token is revoked, every session ended.

    Source:
        OWASP ASVS 5.0, 7.4.3: other sessions end when the password changes.
    """
    account = _sessions.all_ended(_tokens.revoke_all(account, now=now))
    return attrs.evolve(
        account, password_hash=password_hash, connected_at=account.connected_at or now
    )


def with_address(account: Account, email: str | None, *, now: datetime) -> Account:
    """
    Set another address; tokens mailed to the old one die, and the invitation with them.

    A change of case alone only corrects the spelling.
    """
    if _same_address(account.email, email):
        return attrs.evolve(account, email=email)
    account = _tokens.revoke_all(account, now=now)
    return attrs.evolve(account, email=email, invited_at=None, invited_until=None)


def with_active(account: Account, *, active: bool, now: datetime) -> Account:
    """Open or close the account; closing ends its tokens and sessions at once."""
    if not active:
        account = _sessions.all_ended(_tokens.revoke_all(account, now=now))
    return attrs.evolve(account, active=active)


def status_of(account: Account, *, now: datetime, not_before: datetime | None = None) -> Status:
    """
    Return where the parent stands at *now*.

    Args:
        not_before: Invitations made earlier are dead (a restored backup), or None.
    """
    if not account.active:
        return Status.CLOSED
    if account.connected_at is not None:
        return Status.CONNECTED
    if account.email is None:
        return Status.NO_ADDRESS
    if account.invited_at is None:
        return Status.NOT_INVITED
    waiting = (
        account.invited_until is not None
        and now < account.invited_until
        and (not_before is None or account.invited_at >= not_before)
    )
    return Status.WAITING if waiting else Status.EXPIRED


def left_at(account: Account) -> datetime | None:
    """Return when the account's last child link ended or will end; None: never, or none."""
    ends = [link.until for link in account.children]
    last = [end for end in ends if end is not None]
    return max(last) if ends and len(last) == len(ends) else None


def _same_address(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return one is other
    return address_digest(one) == address_digest(other)
