"""
From an intent to a mail, judged at the moment when it leaves.

Accounts in; accounts with their new tokens, and a mail, out.  Time and randomness are
arguments.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
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


@attrs.frozen
class Drafter:
    """
    Judges claims at one moment.

    Args:
        random: Gives the 16 random bytes of a token.
    """

    parts: Parts
    now: datetime
    random: Callable[[], bytes]

    def draft(self, claim: Claim, accounts: Sequence[Account]) -> Draft | Dropped:
        """
        Judge one claim.

        Args:
            accounts: Whom it is for: one at most, or for a reset all those of the address.
        """
        not_before = self.parts.lifetimes.not_before
        if not_before is not None and claim.intent.due < not_before:
            return Dropped(claim, "outdated")
        if claim.intent.kind is IntentKind.RESET:
            return self._reset(claim, accounts)
        reason = _unreachable(accounts, claim.intent.address)
        if reason is not None:
            return Dropped(claim, reason)
        if claim.intent.kind in INVITATIONS:
            return self._invitation(claim, accounts[0])
        return self._notice(claim, accounts[0])

    def _reset(self, claim: Claim, accounts: Sequence[Account]) -> Draft | Dropped:
        open_ones = [account for account in accounts if account.active]
        if not open_ones:
            return Dropped(claim, "nobody")
        return self._access(claim, open_ones, Origin.VISITOR)

    def _invitation(self, claim: Claim, account: Account) -> Draft | Dropped:
        if claim.intent.kind is not IntentKind.INVITE_AGAIN:
            if account.connected_at is not None:
                return Dropped(claim, "connected")
            # On a second attempt the live token may be the first one's, whose worker died
            # before its mail left.
            first = claim.attempts == 1
            if first and self._is_invited(account):
                return Dropped(claim, "waiting")
        return self._access(claim, [account], Origin.SCHOOL)

    def _is_invited(self, account: Account) -> bool:
        not_before = self.parts.lifetimes.not_before
        return _tokens.has_live(account, Origin.SCHOOL, now=self.now, not_before=not_before)

    def _access(self, claim: Claim, accounts: Sequence[Account], origin: Origin) -> Draft:
        """Mint one token per account; they are nowhere but in the mail."""
        minted, ways = list[Minted](), list[WayIn]()
        for account in accounts:
            bits, ttl = self.random(), self._ttl(account)
            digest, token = TokenCodec.digest(bits), self.parts.codec.issue(bits)
            after = _tokens.issue(account, digest, origin=origin, ttl=ttl, now=self.now)
            minted.append(Minted(account, after, digest))
            purpose = _tokens.purpose_for(account)
            ways.append(WayIn(account, purpose, token, grouped(token), self.now + ttl))
        # To the address that is kept, never to the one that was typed.
        to = accounts[0].email or ""
        mail = self._writer(accounts[0]).access(to, ways, self._envelope(claim))
        return Draft(claim, mail, minted)

    def _notice(self, claim: Claim, account: Account) -> Draft | Dropped:
        # Before the first connection the address may be a stranger's, by a typing error.
        if account.connected_at is None:
            return Dropped(claim, "not_connected")
        to, envelope = claim.intent.address or account.email or "", self._envelope(claim)
        writer = self._writer(account)
        if claim.intent.kind is IntentKind.CHILD_ADDED:
            return Draft(claim, writer.child_added(account, to, envelope))
        if claim.intent.kind is IntentKind.ADDRESS_CHANGED:
            return Draft(claim, writer.address_changed(account, to, envelope))
        changed_at = claim.intent.due
        return Draft(claim, writer.password_changed(account, to, changed_at, envelope))

    def _ttl(self, account: Account) -> timedelta:
        first = _tokens.purpose_for(account) is Purpose.FIRST_LOGIN
        return self.parts.lifetimes.first_login if first else self.parts.lifetimes.reset

    def _writer(self, account: Account) -> Writer:
        locale = negotiate([account.locale], self.parts.locale)
        return Writer(self.parts.school, self.parts.site, texts(locale))

    def _envelope(self, claim: Claim) -> Envelope:
        """Name the attempt, so that two copies of it are one mail to who counts them."""
        sender = self.parts.sender
        name = self.parts.school.name.translate({ord(mark): None for mark in '<>"'})
        return Envelope(
            sender=f"{name} <{sender}>",
            message_id=f"<{claim.id}.{claim.attempts}@{sender.rpartition('@')[2]}>",
            date=self.now,
        )


def _unreachable(accounts: Sequence[Account], address: str | None) -> str | None:
    if not accounts:
        return "erased"
    if not accounts[0].active:
        return "closed"
    return None if address or accounts[0].email else "no_address"
