"""
The token state machine: issued, then redeemed or revoked; expired is computed.

Account in, account out; time is an argument.
"""

from datetime import datetime, timedelta
from typing import Final

import attrs

from parentauth._model import Account, Origin, Purpose, Token, address_digest
from parentauth.exceptions import TokenRejectedError

LIVE_PER_ORIGIN: Final = 5
DEAD_KEPT: Final = 10
DEAD_KEPT_FOR: Final = timedelta(days=30)


def purpose_for(account: Account) -> Purpose:
    """Return what a token issued to this account now is for."""
    return Purpose.FIRST_LOGIN if account.connected_at is None else Purpose.RESET


def issue(
    account: Account, digest: str, *, origin: Origin, ttl: timedelta, now: datetime
) -> Account:
    """
    Add a live token, bound to the account's address of this moment.

    At most five live ones per origin: the oldest of the same origin gives way, so that
    a stranger who asks again and again can't cancel what the school sent.

    Args:
        digest: What :meth:`parentauth.TokenCodec.digest` made of the token.
        ttl: How long it is valid.

    Raises:
        ValueError: The account has no address to bind the token to.
    """
    if account.email is None:
        raise ValueError("a token is bound to an address, and this account has none")
    token = Token(
        digest=digest,
        purpose=purpose_for(account),
        origin=origin,
        address_digest=address_digest(account.email),
        issued_at=now,
        expires_at=now + ttl,
    )
    tokens = _bounded((*_room_made(account.tokens, origin, now), token), now)
    if origin is Origin.VISITOR:
        return attrs.evolve(account, tokens=tokens)
    return attrs.evolve(account, tokens=tokens, invited_at=now, invited_until=token.expires_at)


def verdict(
    account: Account, digest: str, *, now: datetime, not_before: datetime | None = None
) -> Token:
    """
    Return the live token, or say why it opens nothing.

    Args:
        account: What the storage found by the token's digest.
        not_before: What was issued earlier counts as revoked (a restored backup).

    Raises:
        TokenRejectedError: With its reason.

    Source:
        OWASP ASVS 5.0, 6.5.1 and 6.5.5: usable once, and for a defined time.
    """
    token = _find(account, digest)
    if token is None:
        raise TokenRejectedError("unknown")
    if not account.active:
        raise TokenRejectedError("closed")
    if token.redeemed_at is not None:
        raise TokenRejectedError("used")
    # The address is compared although a change of address revokes: two locks, one key.
    outdated = not_before is not None and token.issued_at < not_before
    if token.revoked_at is not None or outdated or not _addressed_to(account, token):
        raise TokenRejectedError("revoked")
    if now >= token.expires_at:
        raise TokenRejectedError("expired", token.expires_at)
    return token


def redeem(
    account: Account, digest: str, *, now: datetime, not_before: datetime | None = None
) -> Account:
    """
    Spend the token and revoke the account's other live tokens.

    Raises:
        TokenRejectedError: It is unknown, spent, revoked or expired.

    Source:
        OWASP ASVS 5.0, 6.5.1: usable only once.
    """
    verdict(account, digest, now=now, not_before=not_before)
    spent = tuple(
        attrs.evolve(token, redeemed_at=now) if token.digest == digest else token
        for token in account.tokens
    )
    return revoke_all(attrs.evolve(account, tokens=spent), now=now)


def revoke_all(account: Account, *, now: datetime) -> Account:
    """Revoke every live token; the invitation, if one was waiting, is over."""
    tokens = tuple(
        attrs.evolve(token, revoked_at=now) if token.is_live(now) else token
        for token in account.tokens
    )
    until = account.invited_until
    return attrs.evolve(
        account,
        tokens=_bounded(tokens, now),
        invited_until=until if until is None else min(until, now),
    )


def withdraw(account: Account, digest: str, *, before: Account) -> Account:
    """
    Forget a token whose mail surely did not leave.

    Args:
        before: The account as it was before the token was issued: its invitation's
            dates come back, unless a later invitation replaced them.
    """
    token = _find(account, digest)
    if token is None:
        return account
    tokens = tuple(other for other in account.tokens if other.digest != digest)
    if token.origin is Origin.SCHOOL and account.invited_at == token.issued_at:
        until, revoked_at = before.invited_until, token.revoked_at
        if until is not None and revoked_at is not None:
            # What revoked it while its mail was on the way has ended the earlier one, too.
            until = min(until, revoked_at)
        return attrs.evolve(
            account, tokens=tokens, invited_at=before.invited_at, invited_until=until
        )
    return attrs.evolve(account, tokens=tokens)


def has_live(
    account: Account, origin: Origin, *, now: datetime, not_before: datetime | None = None
) -> bool:
    """Tell whether a token of that origin could be redeemed now."""
    return any(
        token.origin is origin
        and token.is_live(now)
        and (not_before is None or token.issued_at >= not_before)
        for token in account.tokens
    )


def purged(account: Account, *, now: datetime) -> Account:
    """Forget dead tokens older than 30 days, and all but the ten youngest of them."""
    return attrs.evolve(account, tokens=_bounded(account.tokens, now))


def _find(account: Account, digest: str) -> Token | None:
    return next((token for token in account.tokens if token.digest == digest), None)


def _addressed_to(account: Account, token: Token) -> bool:
    return account.email is not None and token.address_digest == address_digest(account.email)


def _room_made(tokens: tuple[Token, ...], origin: Origin, now: datetime) -> tuple[Token, ...]:
    """Revoke the oldest live tokens of *origin* until one more may join."""
    live = [token for token in tokens if token.origin is origin and token.is_live(now)]
    live.sort(key=lambda token: token.issued_at)
    surplus = max(0, len(live) + 1 - LIVE_PER_ORIGIN)
    leaving = {token.digest for token in live[:surplus]}
    return tuple(
        attrs.evolve(token, revoked_at=now) if token.digest in leaving else token
        for token in tokens
    )


def _bounded(tokens: tuple[Token, ...], now: datetime) -> tuple[Token, ...]:
    """Keep the live ones, and of the dead the youngest, so that verdicts can be told."""
    dead = [
        token for token in tokens if not token.is_live(now) and now - token.ended_at < DEAD_KEPT_FOR
    ]
    dead.sort(key=lambda token: token.ended_at, reverse=True)
    kept = {token.digest for token in dead[:DEAD_KEPT]}
    return tuple(token for token in tokens if token.is_live(now) or token.digest in kept)
