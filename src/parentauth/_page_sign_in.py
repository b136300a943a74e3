"""The pages around signing in: login, forgot, logout, the well-known address."""

from parentauth import _page_words as words
from parentauth._page_frame import Problem
from parentauth._page_values import Outcome, Redirect
from parentauth._visit import Visit, retry_after
from parentauth.exceptions import AddressError, SignInRejectedError, ThrottledError

SENT = "sent"
SIGNED_OUT = "signed-out"


def login(visit: Visit) -> Outcome:
    """Sign in, or go on where one is signed in already."""
    if not visit.posted:
        if visit.present:
            return visit.landed(visit.present.landing, visit.after)
        notice = words.signed_out(visit.texts) if visit.noted(SIGNED_OUT) else ""
        return visit.views.login(after=visit.after, notice=notice)
    username, after = visit.field("username"), visit.after
    if visit.language_only:
        return visit.views.login(username=username, after=after)
    try:
        signed_in = visit.auth.sign_in(
            username=username, password=visit.field("password"), client=visit.client
        )
    except SignInRejectedError:
        problem = Problem(words.sign_in_rejected(visit.texts), "username")
        return visit.views.login(username=username, after=after, problems=[problem], status=422)
    except ThrottledError as error:
        show = visit.views.login(
            username=username,
            after=after,
            problems=[Problem(words.throttled(visit.texts, error))],
            steps=[visit.forgot_step],
            status=429,
        )
        return retry_after(show, error.retry_after)
    return visit.welcomed(signed_in, after)


def forgot(visit: Visit) -> Outcome:
    """Ask for a new token; the answer is the same for every address."""
    if not visit.posted:
        return visit.views.forgot_sent(notice=SENT) if visit.noted(SENT) else visit.views.forgot()
    email = visit.field("email")
    if visit.language_only:
        return visit.views.forgot(email=email)
    try:
        visit.auth.request_reset(email, client=visit.client)
    except AddressError:
        problem = Problem(words.bad_address(visit.texts), "email")
        return visit.views.forgot(email=email, problems=[problem], status=422)
    except ThrottledError as error:
        problem = Problem(words.too_many_requests(visit.texts, error))
        show = visit.views.forgot(email=email, problems=[problem], status=429)
        return retry_after(show, error.retry_after)
    return Redirect(visit.request.links.page("forgot", notice=SENT))


def logout(visit: Visit) -> Outcome:
    """End the session where it is kept."""
    visit.auth.sign_out(visit.request.session_id)
    return Redirect(
        visit.request.links.page("login", notice=SIGNED_OUT),
        cookies=(visit.cookie(visit.cookies.session, None),),
        # Not "cookies": that would forget the remembered device, and the host's own.
        headers={"Clear-Site-Data": '"cache"'},
    )


def well_known(visit: Visit) -> Outcome:
    """Lead a browser's "change password" to the page that does it."""
    return Redirect(visit.request.links.page("password_change"))
