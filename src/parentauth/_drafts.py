"""
From an intent to a mail, judged at the moment when it leaves.

Accounts in; accounts with their new tokens, and a mail, out.  Time and randomness are
arguments.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import attrs

from parentauth import _tokens
from parentauth._codec import TokenCodec, grouped
from parentauth._mails import Envelope, WayIn, Writer
from parentauth._model import Account, Origin, Purpose
from parentauth._outbox import Claim, IntentKind, Mail
from parentauth._parts import Parts
from parentauth._texts import negotiate, texts

INVITATIONS: Final = (IntentKind.INVITE, IntentKind.INVITE_AGAIN)


@attrs.frozen
class Draft:
    """
    A mail to send once its *tokens* are written.

    Args:
        tokens: One per account in the mail; none for a notice.
    """

    claim: Claim
    mail: Mail
    tokens: Sequence["Minted"] = ()


@attrs.frozen
class Minted:
    """A new token's digest, and the account before and after it was issued."""

    before: Account
    after: Account
    digest: str = attrs.field(repr=False)


@attrs.frozen
class Dropped:
    """Nothing is to be mailed; *reason* says why."""

    claim: Claim
    reason: str


def drafted(
    parts: Parts,
    claim: Claim,
    accounts: Sequence[Account],
    *,
    now: datetime,
    random: Callable[[], bytes],
) -> Draft | Dropped:
    """
    Judge one claim.

    Args:
        accounts: Whom it is for: one at most, or for a reset all those of the address.
        random: Gives 16 random bytes.
    """
    not_before = parts.lifetimes.not_before
    if not_before is not None and claim.intent.due < not_before:
        return Dropped(claim, "outdated")
    kind = claim.intent.kind
    if kind is IntentKind.RESET:
        # An account without an address is never found by one; the check is for the types.
        accounts = [account for account in accounts if account.active and account.email]
        if not accounts:
            return Dropped(claim, "nobody")
        return _access(parts, claim, accounts, Origin.VISITOR, now, random)
    reason = _unreachable(accounts)
    if reason:
        return Dropped(claim, reason)
    if kind in INVITATIONS:
        return _invitation(parts, claim, accounts[0], now, random)
    return _notice(parts, claim, accounts[0], now)


def _unreachable(accounts: Sequence[Account]) -> str | None:
    if not accounts:
        return "erased"
    if not accounts[0].active:
        return "closed"
    return None if accounts[0].email else "no_address"


def _invitation(
    parts: Parts, claim: Claim, account: Account, now: datetime, random: Callable[[], bytes]
) -> Draft | Dropped:
    if claim.intent.kind is not IntentKind.INVITE_AGAIN:
        if account.connected_at is not None:
            return Dropped(claim, "connected")
        if _tokens.has_live(account, Origin.SCHOOL, now=now):
            return Dropped(claim, "waiting")
    return _access(parts, claim, [account], Origin.SCHOOL, now, random)


def _access(
    parts: Parts,
    claim: Claim,
    accounts: Sequence[Account],
    origin: Origin,
    now: datetime,
    random: Callable[[], bytes],
) -> Draft:
    """Mint one token per account; they are nowhere but in the mail."""
    minted, ways = list[Minted](), list[WayIn]()
    for account in accounts:
        bits = random()
        token, digest = parts.codec.issue(bits), TokenCodec.digest(bits)
        purpose = _tokens.purpose_for(account)
        first = purpose is Purpose.FIRST_LOGIN
        ttl = parts.lifetimes.first_login if first else parts.lifetimes.reset
        after = _tokens.issue(account, digest, origin=origin, ttl=ttl, now=now)
        minted.append(Minted(account, after, digest))
        ways.append(WayIn(account, purpose, token, grouped(token), now + ttl))
    # To the address that is kept, never to the one that was typed.
    to = accounts[0].email or ""
    mail = _writer(parts, accounts[0]).access(to, ways, _envelope(parts, claim, now))
    return Draft(claim, mail, minted)


def _notice(parts: Parts, claim: Claim, account: Account, now: datetime) -> Draft | Dropped:
    # Before the first connection the address may be a stranger's, by a typing error.
    if account.connected_at is None:
        return Dropped(claim, "not_connected")
    mail = _writer(parts, account).password_changed(
        account, account.email or "", claim.intent.due, _envelope(parts, claim, now)
    )
    return Draft(claim, mail)


def _writer(parts: Parts, account: Account) -> Writer:
    locale = negotiate([account.locale], parts.locale)
    return Writer(parts.school, parts.site, texts(locale))


def _envelope(parts: Parts, claim: Claim, now: datetime) -> Envelope:
    """Name the attempt, so that two copies of it are one mail to who counts them."""
    domain = parts.sender.rpartition("@")[2]
    name = parts.school.name.translate({ord(character): None for character in '<>"'})
    return Envelope(
        sender=f"{name} <{parts.sender}>",
        message_id=f"<{claim.id}.{claim.attempts}@{domain}>",
        date=now,
    )
