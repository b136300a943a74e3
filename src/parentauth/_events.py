"""What happened, told to listeners and to the log after it was written."""

import enum
import logging

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import attrs

logger: Final = logging.getLogger("parentauth")


class EventKind(enum.Enum):
    """The outcomes that are told."""

    SIGNED_IN = "signed_in"
    SIGN_IN_REFUSED = "sign_in_refused"
    SIGNED_OUT = "signed_out"
    SESSIONS_ENDED = "sessions_ended"
    TOKEN_ISSUED = "token_issued"
    TOKEN_REFUSED = "token_refused"
    TOKEN_REDEEMED = "token_redeemed"
    PASSWORD_CHANGED = "password_changed"
    PASSWORD_REFUSED = "password_refused"
    RESET_REQUESTED = "reset_requested"
    CHILD_SELECTED = "child_selected"
    CHILD_REFUSED = "child_refused"
    CSRF_REFUSED = "csrf_refused"
    BAD_INPUT = "bad_input"
    THROTTLED = "throttled"
    BUSY = "busy"
    FAMILY_SAVED = "family_saved"
    ADDRESS_CHANGED = "address_changed"
    ACCOUNT_OPENED = "account_opened"
    ACCOUNT_CLOSED = "account_closed"
    ACCOUNT_ERASED = "account_erased"
    TOKENS_REVOKED = "tokens_revoked"
    MAIL_SENT = "mail_sent"
    MAIL_DELAYED = "mail_delayed"
    MAIL_DEAD = "mail_dead"
    MAIL_DROPPED = "mail_dropped"


@attrs.frozen
class Event:
    """
    One outcome.

    Never a token, a password, a typed username of a failure or a whole address.

    Args:
        account_id: Where the account is known, else None.
        reason: A stable word, or empty.
        prefix: The client's prefix (IPv4 /32, IPv6 /64), or None.

    Source:
        OWASP ASVS 5.0, 16.2.1, 16.2.5 and 16.3.1.
    """

    kind: EventKind
    at: datetime
    account_id: str | None = None
    reason: str = ""
    prefix: str | None = None

    def __str__(self) -> str:
        """Return one line of ASCII, whatever an id or a reason is made of."""
        known = {"account": self.account_id, "reason": self.reason, "prefix": self.prefix}
        words = (f" {name}={value!a}" for name, value in known.items() if value)
        return self.kind.value + "".join(words)


Listener = Callable[[Event], None]


@attrs.frozen
class Announcer:
    """Tells listeners, in order; what one of them raises is logged and goes no further."""

    listeners: Sequence[Listener] = ()

    def __call__(self, event: Event) -> None:
        """Tell *event* to the log and to every listener."""
        logger.info("%s", event, extra={"parentauth_event": event})
        for listener in self.listeners:
            try:
                listener(event)
            except Exception:
                logger.exception("a listener failed on %s", event.kind.value)
