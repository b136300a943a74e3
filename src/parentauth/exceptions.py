"""
Every error that parentauth raises.

``reason`` is a stable word for logs and for choosing what to do; what a parent
reads is chosen by the pages.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from parentauth._passwords import Violation


class ParentAuthError(Exception):
    """The base of all."""

    reason: str = "error"


class ConfigurationError(ParentAuthError, ValueError):
    """A setting is missing, unknown or unsafe; the text names the cure."""

    reason = "configuration"


class InputError(ParentAuthError, ValueError):
    """
    A value that no form of ours sends: wrong type, control characters, far too long.

    Its text never contains the value.
    """

    reason = "bad_input"


class AddressError(InputError):
    """The text is no e-mail address that mail can be sent to."""

    reason = "bad_address"


# -- What a parent can be refused


class TokenRejectedError(ParentAuthError):
    """
    A connection token does not open anything.

    Args:
        reason: ``unknown``, ``expired``, ``used``, ``revoked`` or ``closed``.
            All but the first are told only to who holds a genuine token.
        at: When it expired, for ``expired``.
    """

    REASONS: ClassVar = ("unknown", "expired", "used", "revoked", "closed")

    def __init__(self, reason: str, at: datetime | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.at = at


class OtherAccountError(ParentAuthError):
    """
    The token is for another account than the one signed in; it asks for an explicit choice.

    Args:
        wanted: Username of the account that the token is for.
        present: Username of the account that is signed in.
    """

    reason = "other_account"

    def __init__(self, *, wanted: str, present: str) -> None:
        super().__init__(self.reason)
        self.wanted = wanted
        self.present = present


class SignInRejectedError(ParentAuthError):
    """Username or password is wrong; it never says which."""

    reason = "rejected"


class PasswordRejectedError(ParentAuthError):
    """
    The new password breaks rules.

    Args:
        violations: All broken rules at once, as data.
    """

    reason = "password_rejected"

    def __init__(self, violations: "Sequence[Violation]") -> None:
        super().__init__(", ".join(violation.code for violation in violations))
        self.violations: tuple[Violation, ...] = tuple(violations)


class CurrentPasswordError(ParentAuthError):
    """The current password, asked for before a change, is wrong."""

    reason = "current_password"


class NotSignedInError(ParentAuthError):
    """The session is unknown, ended or too old."""

    reason = "not_signed_in"


class ChildRejectedError(ParentAuthError):
    """The child is not linked to this account now."""

    reason = "child_rejected"


class ThrottledError(ParentAuthError):
    """
    Too many attempts.

    Args:
        retry_after: Time to wait, or None: only the mail procedure opens it again.
    """

    reason = "throttled"

    def __init__(self, retry_after: timedelta | None) -> None:
        super().__init__(self.reason)
        self.retry_after = retry_after


class BusyError(ParentAuthError):
    """
    Too many passwords are being checked at this moment.

    Args:
        retry_after: Time to wait.
    """

    reason = "busy"

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__(self.reason)
        self.retry_after = retry_after


# -- What the school can be refused


class AccountNotFoundError(ParentAuthError, LookupError):
    """No account has that id or username."""

    reason = "account_not_found"


class FamiliesError(ParentAuthError, ValueError):
    """
    The families can't be saved; nothing was written.

    Args:
        problems: Every problem, one sentence each, with its place and its cure.
    """

    reason = "families"

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems: tuple[str, ...] = tuple(problems)


# -- What storages and mailers raise


class StorageError(ParentAuthError):
    """The storage can't be used as it is; the text says why and names the cure."""

    reason = "storage"


class ConflictError(StorageError):
    """A ``before`` is no longer current, or the database asked to try again."""

    reason = "conflict"


class TakenError(StorageError):
    """An id, username or digest already belongs to another account."""

    reason = "taken"


class MailDelayedError(ParentAuthError):
    """
    The mail did not leave now; try again later.

    Args:
        reason: What the mail server said, without the recipient's whole address.
        maybe_sent: The connection was lost so late that the mail may have left.
    """

    def __init__(self, reason: str, *, maybe_sent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.maybe_sent = maybe_sent


class MailRefusedError(ParentAuthError):
    """
    The mail will never be accepted.

    Args:
        reason: What the mail server said, without the recipient's whole address.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
