"""The blueprint: each view reads the request, asks the page flow once, and renders."""

from collections.abc import Callable
from typing import Final

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request
from flask import current_app as app
from flask_wtf.csrf import CSRFError, validate_csrf
from werkzeug.exceptions import HTTPException
from wtforms import ValidationError

from parentauth import Paths
from parentauth.flask._state import page_request, state_of
from parentauth.pages import HEADERS, PAGES, STATIC, TEMPLATES, Outcome, Show

# All of them, so that a wrong one gets our page and our headers, not the host's.
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# Three passwords of the longest kind, each character escaped as twelve, and room for more.
_FORM_MAX: Final = 200_000
_KEPT: Final = (200, 206, 304)
_UNSAFE: Final = ("POST", "PUT", "PATCH", "DELETE")


def blueprint(paths: Paths) -> Blueprint:
    """Return a blueprint with every page at its path; the well-known one at the site's root."""
    pages = Blueprint(
        "parentauth",
        __name__,
        template_folder=str(TEMPLATES),
        static_folder=str(STATIC / "parentauth"),
        static_url_path=f"{paths.prefix}/parentauth",
    )
    for page in PAGES:
        pages.add_url_rule(paths.of(page), page, _view(page), methods=METHODS)
    pages.add_url_rule(f"{paths.of('token')}/<path:token>", "link", _link, methods=METHODS)
    # Before any before_request: the host's own may read the form, or fail and log the path.
    pages.url_value_preprocessor(_prepare)
    pages.before_request(_check_csrf)
    pages.after_request(_guard)
    pages.register_error_handler(CSRFError, _expired_form)
    pages.register_error_handler(HTTPException, _error)
    return pages


def _view(page: str) -> Callable[[], Response]:
    def view() -> Response:
        state = state_of()
        asked = page_request(request, state)
        # A dashboard that is not there must not show only after a token was spent.
        asked.links.check()
        return _answer(state.pages.respond(page, asked))

    return view


def _link(token: str) -> Response:
    state = state_of()
    return _answer(state.pages.link(token, page_request(request, state)))


def _prepare(endpoint: str | None, _: object) -> None:
    """Bound the body to what forms of ours need, and take the token out of the path."""
    if endpoint == "parentauth.link":
        request.path = state_of().auth.site.paths.of("token")
    allowed = request.max_content_length
    request.max_content_length = _FORM_MAX if allowed is None else min(allowed, _FORM_MAX)


def _check_csrf() -> None:
    """Protect every form of ours, by the host's own CSRFProtect where there is one."""
    if request.method in _UNSAFE and app.config.get("WTF_CSRF_ENABLED", True):
        if "csrf" in app.extensions:
            app.extensions["csrf"].protect()
            return
        try:
            field = app.config.get("WTF_CSRF_FIELD_NAME", "csrf_token")
            validate_csrf(request.form.get(field) or request.headers.get("X-CSRFToken"))
        except ValidationError as error:
            raise CSRFError(str(error)) from None


def _expired_form(_: CSRFError) -> Response:
    state = state_of()
    page = (request.endpoint or "").rpartition(".")[2]
    return _answer(state.pages.expired_form(page, page_request(request, state)))


def _error(error: HTTPException) -> Response:
    state = state_of()
    asked = page_request(request, state, with_form=False)
    return _answer(state.pages.error(asked, error.code or 500))


def _answer(outcome: Outcome) -> Response:
    if isinstance(outcome, Show):
        html = render_template(f"parentauth/{outcome.template}", **outcome.context)
        response = make_response(html, outcome.status)
    else:
        if outcome.flash:
            flash(outcome.flash)
        response = make_response(redirect(outcome.location, code=303))
    response.headers.update(outcome.headers)
    for cookie in outcome.cookies:
        response.set_cookie(**cookie.attributes())
    return response


def _guard(response: Response) -> Response:
    """Put our headers on every response of ours; files of ours may be kept by browsers."""
    kept = request.endpoint == "parentauth.static" and response.status_code in _KEPT
    response.headers.update(
        {name: value for name, value in HEADERS.items() if not kept or name != "Cache-Control"}
    )
    response.vary.add("Cookie")
    return response
