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
    """Tell of a new password; each change is told, hence a random key."""
    kind = IntentKind.PASSWORD_CHANGED
    return Intent(kind, f"{kind.value}:{secrets.token_hex(16)}", account.id, due=now)
