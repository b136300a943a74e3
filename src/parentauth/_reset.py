"""
The silent reset request: the address's form is checked, and never looked up.

One row is written whatever the address, so that body, headers, status, statements and
time can't differ; a worker finds out later who it is for.
"""

import random

from datetime import timedelta

from parentauth import _notices
from parentauth._addresses import read_address
from parentauth._canonical import email_key
from parentauth._events import EventKind
from parentauth._inputs import checked_text
from parentauth._model import Client, address_digest
from parentauth._parts import Parts
from parentauth.exceptions import InputError, ThrottledError


def request_reset(parts: Parts, email: str, *, client: Client) -> None:
    """Put one row into the outbox, due after a random delay."""
    now = parts.clock()
    try:
        parts.guard(now).count_reset(parts.prefix(client))
    except ThrottledError:
        parts.tell(EventKind.THROTTLED, at=now, reason="reset", client=client)
        raise
    try:
        address = email_key(read_address(checked_text(email, "email")))
    except InputError as error:
        parts.tell(EventKind.BAD_INPUT, at=now, reason=error.reason, client=client)
        raise
    if parts.guard(now).admits_reset(address_digest(address)):
        parts.storage.enqueue([_notices.reset(address, due=now + _delay(parts))])
    parts.tell(EventKind.RESET_REQUESTED, at=now, client=client)


def _delay(parts: Parts) -> timedelta:
    shortest, longest = parts.lifetimes.reset_delay
    return shortest + (longest - shortest) * random.random()  # noqa: S311  spreads load
