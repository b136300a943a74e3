"""The values of the outbox: what is to be mailed, the mails, and what became of them."""

import enum

from datetime import datetime

import attrs


class IntentKind(enum.Enum):
    """Why a mail is to be prepared."""

    INVITE = "invite"
    INVITE_AGAIN = "invite_again"
    RESET = "reset"
    CHILD_ADDED = "child_added"
    ADDRESS_CHANGED = "address_changed"
    PASSWORD_CHANGED = "password_changed"


@attrs.frozen
class Intent:
    """
    A mail to prepare; never a token.

    Args:
        key: Unique while it waits: a second one with the same key is not kept.
        account_id: Whom it is for; None for a reset, which knows an address only.
        address: The canonical address that a reset was asked for, or that a notice
            must go to whatever the account's address has become.
        due: Not before this moment.
    """

    kind: IntentKind
    key: str
    account_id: str | None = None
    address: str | None = attrs.field(default=None, repr=False)
    due: datetime = attrs.field(kw_only=True)


@attrs.frozen
class Claim:
    """
    An intent that a worker holds for the time of a lease.

    Args:
        id: The outbox row's own id, stable over retries.
        lease: Made anew by each claim: what settles must still hold it.
        attempts: How often it was claimed, this time included.
    """

    id: str
    lease: str
    intent: Intent
    attempts: int


@attrs.frozen
class Delay:
    """Settle a claim for later: nothing left, try again when *due*."""

    claim: Claim
    due: datetime
    reason: str


@attrs.frozen
class Death:
    """Settle a claim for good at *at*: it will not be tried again, and *reason* says why."""

    claim: Claim
    at: datetime
    reason: str


@attrs.frozen
class OutboxRow:
    """
    A row of the outbox as the school sees it.

    Args:
        due: When it is tried next (the intent's own ``due`` never moves).
        leased_until: A worker has it until then, or None.
        dead_at: When it was given up, or None.
        reason: Why the last attempt failed, or None.
    """

    id: str
    intent: Intent
    due: datetime
    attempts: int
    leased_until: datetime | None = None
    dead_at: datetime | None = None
    reason: str | None = None


@attrs.frozen
class Mail:
    """
    One mail to one recipient, ready to be sent.

    Args:
        message_id: With angle brackets; the same for every copy of one attempt.
        text: The text part; may hold a token, hence never in a repr.
    """

    sender: str
    to: str = attrs.field(repr=False)
    reply_to: str | None
    subject: str
    text: str = attrs.field(repr=False)
    html: str = attrs.field(repr=False)
    locale: str
    message_id: str
    date: datetime


@attrs.frozen
class Delivery:
    """
    What one call of :meth:`parentauth.ParentAuth.deliver` did.

    Args:
        sent: Mails that the mail server took.
        delayed: Mails that will be tried again.
        dead: Mails that were given up; the outbox keeps them with the reason.
        dropped: Intents that called for no mail any more.
    """

    sent: int = 0
    delayed: int = 0
    dead: int = 0
    dropped: int = 0

    def __add__(self, other: "Delivery") -> "Delivery":
        """Return both together."""
        return Delivery(
            self.sent + other.sent,
            self.delayed + other.delayed,
            self.dead + other.dead,
            self.dropped + other.dropped,
        )
