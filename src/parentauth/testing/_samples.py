"""Values that the contracts write, and how often they race."""

import os

from datetime import timedelta
from typing import Any, Final

import attrs

from parentauth._canonical import digest
from parentauth._model import Account, ChildLink, Origin, Purpose, Session, Token
from parentauth._outbox import Intent, IntentKind
from parentauth.ports import Change, Key, Storage
from parentauth.testing.clock import START

NOW: Final = START
SECOND: Final = timedelta(seconds=1)
LEASE: Final = timedelta(minutes=5)

# A few rounds are quick; a hundred show races that three do not.
ROUNDS: Final = int(os.environ.get("PARENTAUTH_TEST_ROUNDS", "2"))


def token(name: str) -> Token:
    """Return a live token."""
    return Token(
        digest=digest("sample-token", name),
        purpose=Purpose.RESET,
        origin=Origin.SCHOOL,
        address_digest=digest("sample-address", name),
        issued_at=NOW,
        expires_at=NOW + timedelta(days=14),
    )


def session(name: str) -> Session:
    """Return an open session."""
    return Session(digest("sample-session", name), opened_at=NOW, last_seen_at=NOW)


def account(account_id: str, **values: Any) -> Account:  # noqa: ANN401  any field's value
    """Return an account with one child, one token and one session."""
    sample = Account(
        id=account_id,
        username=f"parent-{account_id}",
        name="Zoë Peeters",
        email=f"parent-{account_id}@example.be",
        children=(ChildLink("c1", "Noor", "1A"),),
        tokens=(token(account_id),),
        sessions=(session(account_id),),
    )
    return attrs.evolve(sample, **values)


def intent(key: str, **values: Any) -> Intent:  # noqa: ANN401  any field's value
    """Return an intent that is due."""
    return attrs.evolve(Intent(IntentKind.INVITE, key, due=NOW), **values)


def add(storage: Storage, *accounts: Account) -> list[Account]:
    """Add accounts and return them as they are kept."""
    storage.replace([Change(before=None, after=account) for account in accounts])
    return [reread(storage, account) for account in accounts]


def reread(storage: Storage, account: Account) -> Account:
    """Return the account as it is kept now."""
    found = storage.account(Key.by_id(account.id))
    assert found is not None  # noqa: S101  a test's
    return found


def everything(storage: Storage) -> tuple[list[Account], list[object]]:
    """Return all that a storage holds, to see that a refused write left no trace."""
    return list(storage.scan(None, 10_000)), list(storage.outbox(None, 10_000))
