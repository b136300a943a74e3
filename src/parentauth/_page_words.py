"""The messages of the page flow, chosen by reason."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from math import ceil
from typing import Final
from zoneinfo import ZoneInfo

from parentauth._page_frame import Problem
from parentauth._passwords import Violation
from parentauth._texts import Texts
from parentauth.exceptions import ThrottledError, TokenRejectedError


def sign_in_rejected(t: Texts) -> str:
    """Say the one sentence for every failure."""
    return t("Wrong username or password.")


def throttled(t: Texts, error: ThrottledError) -> str:
    """Say how long to wait, or that only the mail procedure helps."""
    if error.retry_after is None:
        return t("Too many attempts. Set a new password by mail.")
    return t.plural(
        "Too many attempts. Try again in %(n)d minute, or set a new password.",
        "Too many attempts. Try again in %(n)d minutes, or set a new password.",
        minutes(error.retry_after),
    )


def minutes(wait: timedelta) -> int:
    """Return whole minutes, rounded up."""
    return max(1, ceil(wait / timedelta(minutes=1)))


def token_rejected(t: Texts, error: TokenRejectedError, zone: ZoneInfo) -> str:
    """Say why a token opens nothing."""
    if error.reason == "expired" and error.at is not None:
        return t(
            "This access code has not been valid since %(date)s. Ask for a new one.",
            date=t.moment(error.at, zone),
        )
    return {
        "used": t(
            "This access code has already been used. Your password is already set: "
            "go to “Signing in again”."
        ),
        "revoked": t(
            "This access code is no longer valid. Use the most recent mail, or ask for a new one."
        ),
        "closed": t("This account is closed. Telephone the school."),
    }.get(
        error.reason,
        t("This access code is not valid. Copy the whole of it from the mail."),
    )


def violations(t: Texts, broken: Sequence[Violation]) -> list[Problem]:
    """Say all broken rules, each beside its field."""
    return [
        Problem(
            _VIOLATIONS.get(violation.code, _other)(t, violation),
            "confirmation" if violation.code == "mismatch" else "new_password",
        )
        for violation in broken
    ]


def token_missing(t: Texts) -> str:
    """Say that the field is empty."""
    return t("Enter your access code.")


def current_password(t: Texts) -> str:
    """Say that the present password is wrong."""
    return t("The current password is not right.")


def password_saved(t: Texts) -> str:
    """Say that it is done."""
    return t("Your password is saved.")


def signed_out(t: Texts) -> str:
    """Say that it is done."""
    return t("You are signed out.")


def bad_address(t: Texts) -> str:
    """Say that the text is no address."""
    return t("Enter an email address, for example name@example.com.")


def too_many_requests(t: Texts, error: ThrottledError) -> str:
    """Say how long to wait, whatever the address."""
    return t.plural(
        "Too many requests. Try again in %(n)d minute.",
        "Too many requests. Try again in %(n)d minutes.",
        minutes(error.retry_after or timedelta(minutes=1)),
    )


def busy(t: Texts) -> str:
    """Say that it is not the parent's fault."""
    return t("Many parents are signing in at this moment. Try again in a minute.")


def expired_form(t: Texts) -> str:
    """Say that the form has to be sent once more."""
    return t("The page was left open too long. Start again.")


def bad_input(t: Texts) -> str:
    """Say that a form could not be read."""
    return t("This form could not be read. Go back and try again.")


def error(t: Texts, status: int) -> str:
    """Say what an error page says."""
    if status in (404, 405):
        return t("This page does not exist.")
    if status == 403:  # noqa: PLR2004  HTTP's own number
        return t("You have no access to this page.")
    if status in (400, 413, 415):
        return bad_input(t)
    return t("A problem occurred. Try again later.")


def _other(t: Texts, violation: Violation) -> str:
    """Say a rule of the host's own: its text, if it brought one."""
    return str(
        violation.parameters.get("text") or t("This password does not suit. Choose another.")
    )


_VIOLATIONS: Final[dict[str, Callable[[Texts, Violation], str]]] = {
    "missing": lambda t, _: t("Enter a password."),
    "too_short": lambda t, v: t(
        "The password must have at least %(n)s characters.", n=v.parameters["minimum"]
    ),
    "too_long": lambda t, v: t(
        "The password must have at most %(n)s characters.", n=v.parameters["maximum"]
    ),
    "common": lambda t, _: t("This password is too common. Choose another."),
    "context": lambda t, _: t(
        "This password is too much like your name, a child's or the school's."
    ),
    "mismatch": lambda t, _: t("The two passwords are not the same."),
}
