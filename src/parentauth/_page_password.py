"""The pages of a token and of a new password."""

from collections.abc import Callable

from parentauth import _page_words as words
from parentauth._model import CheckedToken
from parentauth._page_frame import Problem, Step
from parentauth._page_values import Outcome, Redirect, Show
from parentauth._visit import Visit, retry_after
from parentauth.exceptions import (
    CurrentPasswordError,
    NotSignedInError,
    OtherAccountError,
    PasswordRejectedError,
    ThrottledError,
    TokenRejectedError,
)


def token(visit: Visit) -> Outcome:
    """CONNEXION checks the token, and shows the password page."""
    if not visit.posted:
        return visit.views.token()
    typed = visit.field("token")
    if visit.language_only:
        return visit.views.token(token=typed, switch=_switch(visit))
    if not typed.strip():
        problem = Problem(words.token_missing(visit.texts), "token")
        return visit.views.token(problems=[problem], switch=_switch(visit), status=422)
    return _with_verdict(visit, typed, lambda: _password_page(visit, typed))


def link(visit: Visit, linked: str) -> Outcome:
    """Fill the token field from the link; nothing is checked, counted or written."""
    try:
        landing = visit.auth.visit_link(linked, client=visit.client)
    except OtherAccountError as other:
        return visit.views.switch(token=linked, wanted=other.wanted, present=other.present)
    if landing is not None:
        return visit.landed(landing)
    return visit.views.token(token=linked)


def password(visit: Visit) -> Outcome:
    """MODIFIER spends the token with a new password."""
    if not visit.posted:
        return Redirect(visit.request.links.page("token"))
    carried = visit.field("token")
    if visit.language_only:
        return _with_verdict(visit, carried, lambda: _password_page(visit, carried))
    return _with_verdict(visit, carried, lambda: _defined(visit, carried))


def password_change(visit: Visit) -> Outcome:
    """Change the password while signed in."""
    if visit.present is None:
        return visit.sent_to_login()
    if not visit.posted or visit.language_only:
        return change_form(visit)
    try:
        return _changed(visit)
    except CurrentPasswordError:
        problem = Problem(words.current_password(visit.texts), "current_password")
        return change_form(visit, problem, status=422)
    except PasswordRejectedError as error:
        problems = words.violations(visit.texts, error.violations)
        return change_form(visit, *problems, status=422)
    except ThrottledError as error:
        problem = Problem(words.throttled(visit.texts, error))
        return retry_after(change_form(visit, problem, status=429), error.retry_after)


def change_form(visit: Visit, *problems: Problem, status: int = 200) -> Show:
    """Show the form of the password change."""
    username = visit.present.parent.username if visit.present else ""
    return visit.views.password_change(username=username, problems=problems, status=status)


def _switch(visit: Visit) -> bool:
    return visit.field("switch") == "1"


def _with_verdict(visit: Visit, token: str, answer: Callable[[], Outcome]) -> Outcome:
    """Give *answer*, or say why the token does not get there."""
    try:
        return answer()
    except OtherAccountError as other:
        return visit.views.switch(
            token=token, wanted=other.wanted, present=other.present, status=422
        )
    except TokenRejectedError as error:
        if visit.page == "token" and error.reason == "used":
            landing = visit.auth.visit_link(token, client=visit.client)
            if landing is not None:
                # Back or reload, after it was used by who is signed in now.
                return visit.landed(landing)
        return visit.views.token(
            token=token,
            problems=[Problem(_verdict(visit, error), "token")],
            steps=_next_steps(visit, error),
            status=422,
        )
    except ThrottledError as error:
        show = visit.views.token(
            token=token,
            problems=[Problem(words.throttled(visit.texts, error))],
            steps=[visit.forgot_step],
            status=429,
        )
        return retry_after(show, error.retry_after)


def _verdict(visit: Visit, error: TokenRejectedError) -> str:
    return words.token_rejected(visit.texts, error, visit.auth.school.zone)


def _next_steps(visit: Visit, error: TokenRejectedError) -> list[Step]:
    """Every verdict leads somewhere."""
    if error.reason == "used":
        return [visit.sign_in_step, visit.forgot_step]
    return [] if error.reason == "closed" else [visit.forgot_step]


def _checked(visit: Visit, token: str) -> CheckedToken:
    return visit.auth.check_token(token, client=visit.client, switch=_switch(visit))


def _password_page(visit: Visit, token: str, *problems: Problem, status: int = 200) -> Show:
    return visit.views.password(
        _checked(visit, token),
        token=token,
        switch=_switch(visit),
        problems=problems,
        status=status,
    )


def _defined(visit: Visit, token: str) -> Outcome:
    try:
        signed_in = visit.auth.define_password(
            token,
            new_password=visit.field("new_password"),
            confirmation=visit.field("confirmation"),
            client=visit.client,
            switch=_switch(visit),
        )
    except PasswordRejectedError as error:
        problems = words.violations(visit.texts, error.violations)
        return _password_page(visit, token, *problems, status=422)
    return visit.welcomed(signed_in, flash=words.password_saved(visit.texts))


def _changed(visit: Visit) -> Outcome:
    try:
        signed_in = visit.auth.change_password(
            visit.request.session_id or "",
            current=visit.field("current_password"),
            new_password=visit.field("new_password"),
            confirmation=visit.field("confirmation"),
            client=visit.client,
        )
    except NotSignedInError:
        # It ended between our look and the change.
        return visit.sent_to_login()
    return visit.welcomed(signed_in, flash=words.password_saved(visit.texts))
