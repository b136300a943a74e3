"""
What is counted, under which key, and how much of it is too much.

Keys hold keyed digests: people type passwords into the username field.
"""

import ipaddress

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

import attrs

from parentauth.exceptions import ThrottledError
from parentauth.ports import Throttle


@attrs.frozen
class Limit:
    """At most *amount* in a *window*."""

    name: str
    amount: int
    window: timedelta


# NIST SP 800-63B-4, 3.2.2: no more than 100 consecutive failures.
SIGN_IN_SHORT: Final = Limit("15m", 10, timedelta(minutes=15))
SIGN_IN_LONG: Final = Limit("30d", 100, timedelta(days=30))
FAILURES_PER_PREFIX: Final = Limit("15m", 100, timedelta(minutes=15))
RESETS_PER_HOUR: Final = Limit("1h", 3, timedelta(hours=1))
RESETS_PER_DAY: Final = Limit("1d", 10, timedelta(days=1))
RESETS_PER_PREFIX: Final = Limit("1h", 300, timedelta(hours=1))


@attrs.frozen
class Guard:
    """Applies the limits on a throttle, at one moment."""

    throttle: Throttle
    now: datetime

    def peek_sign_in(self, counter: str) -> None:
        """
        Refuse at once what is known to be over its limit.

        Raises:
            ThrottledError: With the time to wait, or None: only the mail procedure helps.
        """
        _refuse_forever(self._peek(counter, SIGN_IN_LONG))
        _refuse(self._peek(counter, SIGN_IN_SHORT))

    def count_sign_in(self, counter: str) -> None:
        """
        Count one attempt that is about to be verified.

        Raises:
            ThrottledError: Others were faster, the limit is reached.
        """
        # The short window first: what it refuses must not use up the long one.
        _refuse(self._hit(counter, SIGN_IN_SHORT))
        _refuse_forever(self._hit(counter, SIGN_IN_LONG))

    def clear_sign_in(self, *counters: str) -> None:
        """Forget the failures counted there."""
        for counter in counters:
            for limit in (SIGN_IN_SHORT, SIGN_IN_LONG):
                self.throttle.clear(f"{counter}:{limit.name}")

    def peek_failures(self, prefix: str | None) -> None:
        """
        Refuse a client prefix that failed too often.

        Raises:
            ThrottledError: With the time to wait.
        """
        if prefix is not None:
            _refuse(self._peek(f"failures:{prefix}", FAILURES_PER_PREFIX))

    def count_failure(self, prefix: str | None) -> None:
        """Count a failure, after the fact; the limit refuses the next attempt."""
        if prefix is not None:
            self._hit(f"failures:{prefix}", FAILURES_PER_PREFIX)

    def admits_reset(self, address: str) -> bool:
        """Count a reset request; False: quietly put nothing into the outbox."""
        return all(
            self._hit(f"reset:{address}", limit) is None
            for limit in (RESETS_PER_HOUR, RESETS_PER_DAY)
        )

    def wait_for_pace(self, pace: int) -> timedelta | None:
        """Count a reset mail that is about to leave; else return how long it must wait."""
        return self._hit("reset-mails", Limit("1m", pace, timedelta(minutes=1)))

    def count_reset(self, prefix: str | None) -> None:
        """
        Count a reset request of a client prefix, whatever its address.

        Raises:
            ThrottledError: The same for all addresses.
        """
        if prefix is not None:
            _refuse(self._hit(f"resets:{prefix}", RESETS_PER_PREFIX))

    def _hit(self, counter: str, limit: Limit) -> timedelta | None:
        key = f"{counter}:{limit.name}"
        return self.throttle.hit(key, limit=limit.amount, window=limit.window, now=self.now)

    def _peek(self, counter: str, limit: Limit) -> timedelta | None:
        key = f"{counter}:{limit.name}"
        return self.throttle.peek(key, limit=limit.amount, window=limit.window, now=self.now)


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def prefix_of(address: str | None, exempt: Collection[Network] = ()) -> str | None:
    """
    Return the client prefix that failures are counted on: IPv4 /32, IPv6 /64.

    Args:
        exempt: Networks that are not counted: at a parents' evening a hundred families
            share the school's address.

    Returns:
        None for no address, one that can't be read, or an exempt one.
    """
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return None
    # One machine must not get a second bucket by writing its IPv4 address as IPv6.
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if any(ip in network for network in exempt):
        return None
    if ip.version == 4:  # noqa: PLR2004  the name of the protocol
        return str(ip)
    return str(ipaddress.ip_network((int(ip), 64), strict=False))


def _refuse(wait: timedelta | None) -> None:
    if wait is not None:
        raise ThrottledError(wait)


def _refuse_forever(wait: timedelta | None) -> None:
    if wait is not None:
        raise ThrottledError(None)
