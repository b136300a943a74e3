"""Reads settings, and refuses at the start what would be unsafe later."""

import ipaddress

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import new as hmac_new
from typing import Final

from parentauth._addresses import read_address
from parentauth._parts import Lifetimes
from parentauth._site import Site, is_loopback
from parentauth._throttling import Network
from parentauth.exceptions import AddressError, ConfigurationError

SHORTEST_TOKEN: Final = timedelta(hours=1)


def typed_key(keys: Sequence[str]) -> bytes:
    """Return the key under which typed usernames are digested."""
    return hmac_new(keys[0].encode(), b"parentauth/typed/v1", sha256).digest()


def utc_now() -> datetime:
    """Return the system's time, in UTC."""
    return datetime.now(UTC)


def lifetimes(
    first_login: timedelta,
    reset: timedelta,
    delay: tuple[timedelta, timedelta],
    not_before: datetime | None,
) -> Lifetimes:
    """Check and keep how long things last."""
    for name, ttl in (("first_login_ttl", first_login), ("reset_ttl", reset)):
        if ttl < SHORTEST_TOKEN:
            raise ConfigurationError(f"{name} is {ttl}; set at least {SHORTEST_TOKEN}")
    if not timedelta(0) <= delay[0] <= delay[1]:
        raise ConfigurationError("reset_delay: give two times, the shorter first")
    if not_before is not None and not_before.tzinfo is None:
        raise ConfigurationError("not_before needs a time zone, like '2026-11-24T12:00:00+01:00'")
    return Lifetimes(first_login, reset, delay, not_before)


def pace(per_minute: int) -> int:
    """Check how many reset mails may leave in a minute."""
    if per_minute < 1:
        raise ConfigurationError(f"reset_pace is {per_minute}; let at least 1 mail a minute leave")
    return per_minute


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read networks in CIDR form."""
    try:
        return tuple(ipaddress.ip_network(text) for text in texts)
    except ValueError as error:
        raise ConfigurationError(
            f"exempt_networks: {error}; write networks like '192.0.2.0/24'"
        ) from error


def sender_address(sender: str | None, site: Site) -> str:
    """Return the address that mails come from."""
    if sender is None:
        # A mailbox needs a domain with a dot; on loopback nothing is really mailed.
        sender = f"noreply@{'example.com' if is_loopback(site.host) else site.host}"
    try:
        return read_address(sender)
    except AddressError:
        raise ConfigurationError(
            "sender is no e-mail address; write it like 'portail@ecole.be' (the school's "
            "name is put before it)"
        ) from None
