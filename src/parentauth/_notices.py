"""The intents that each flow puts into the outbox, and their keys."""

import secrets

from datetime import datetime

from parentauth._model import Account, address_digest
from parentauth._outbox import Intent, IntentKind


def invitation(account_id: str, *, again: bool, now: datetime) -> Intent:
    """Invite once, however often it is asked for while the mail waits."""
    kind = IntentKind.INVITE_AGAIN if again else IntentKind.INVITE
    return Intent(kind, f"{kind.value}:{account_id}", account_id, due=now)


def reset(address: str, *, due: datetime) -> Intent:
    """Answer a reset request; who it is for is looked up when the mail leaves."""
    key = f"{IntentKind.RESET.value}:{address_digest(address)}"
    return Intent(IntentKind.RESET, key, address=address, due=due)


def password_changed(account: Account, *, now: datetime) -> Intent:
    """Tell of a new password."""
    return _notice(IntentKind.PASSWORD_CHANGED, account, None, now)


def of_change(before: Account | None, after: Account, *, now: datetime) -> list[Intent]:
    """
    Tell a connected parent what the school changed: the address, or a new child.

    A new address is told to the old and the new one.
    """
    if before is None or before.connected_at is None:
        return []
    told = list[Intent]()
    if (before.email and address_digest(before.email)) != (
        after.email and address_digest(after.email)
    ):
        addresses = [address for address in (before.email, after.email) if address]
        told += [_notice(IntentKind.ADDRESS_CHANGED, after, each, now) for each in addresses]
    known = {link.child_id for link in before.children}
    if any(link.child_id not in known for link in after.children):
        told.append(_notice(IntentKind.CHILD_ADDED, after, None, now))
    return told


def _notice(kind: IntentKind, account: Account, address: str | None, now: datetime) -> Intent:
    """Each notice is told, hence a random key."""
    key = f"{kind.value}:{secrets.token_hex(16)}"
    return Intent(kind, key, account.id, address, due=now)
