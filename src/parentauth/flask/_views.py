"""The blueprint: each view reads the request, asks the page flow once, and renders."""

from collections.abc import Callable
from typing import Final

from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
)
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.exceptions import HTTPException

from parentauth import Paths
from parentauth.flask._state import page_request, state_of
from parentauth.pages import HEADERS, METHODS, STATIC, TEMPLATES, Cookie, Outcome, Show

ALL_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# Flask-WTF reads these; the values are its own, but for the time limit: a page that was left
# open over lunch must not be refused, its session decides.
CSRF_DEFAULTS: Final = {
    "WTF_CSRF_ENABLED": True,
    "WTF_CSRF_FIELD_NAME": "csrf_token",
    "WTF_CSRF_HEADERS": ("X-CSRFToken", "X-CSRF-Token"),
    "WTF_CSRF_METHODS": {"POST", "PUT", "PATCH", "DELETE"},
    "WTF_CSRF_TIME_LIMIT": None,
    "WTF_CSRF_SSL_STRICT": True,
}


def blueprint(paths: Paths) -> Blueprint:
    """Return a blueprint with every page at its path; the well-known one at the site's root."""
    pages = Blueprint(
        "parentauth",
        __name__,
        template_folder=str(TEMPLATES),
        static_folder=str(STATIC / "parentauth"),
        static_url_path=f"{paths.prefix}/parentauth",
    )
    for page in METHODS:
        view = _view(page)
        pages.add_url_rule(paths.of(page), page, view, methods=ALL_METHODS)
    pages.add_url_rule(f"{paths.of('token')}/<path:token>", "link", _link, methods=("GET",))
    pages.before_request(_check_csrf)
    pages.after_request(_guard)
    pages.register_error_handler(CSRFError, _expired_form)
    pages.register_error_handler(HTTPException, _error)
    return pages


def prepare_csrf(app: Flask) -> None:
    """Give Flask-WTF its settings, without switching it on for the host's own views."""
    for key, value in CSRF_DEFAULTS.items():
        app.config.setdefault(key, value)


def _view(page: str) -> Callable[[], Response]:
    def view() -> Response:
        if request.method == "OPTIONS" or request.method not in (*METHODS[page], "HEAD"):
            return _method_not_allowed(page)
        state = state_of()
        return _answer(state.pages.respond(page, page_request(request, state)))

    return view


def _link(token: str) -> Response:
    state = state_of()
    return _answer(state.pages.link(token, page_request(request, state)))


def _check_csrf() -> None:
    """Protect every form of ours, by the host's own CSRFProtect where there is one."""
    if request.method in current_app.config["WTF_CSRF_METHODS"]:
        host = current_app.extensions.get("csrf")
        if current_app.config["WTF_CSRF_ENABLED"]:
            (host or CSRFProtect()).protect()


def _expired_form(_: CSRFError) -> Response:
    state = state_of()
    page = (request.endpoint or "").rpartition(".")[2]
    return _answer(state.pages.expired_form(page, page_request(request, state)))


def _error(error: HTTPException) -> Response:
    state = state_of()
    status = error.code or 500
    return _answer(state.pages.error(page_request(request, state), status))


def _method_not_allowed(page: str) -> Response:
    state = state_of()
    allowed = METHODS[page]
    allow = ", ".join((*allowed, *(("HEAD",) if "GET" in allowed else ()), "OPTIONS"))
    if request.method == "OPTIONS":
        response = make_response("", 204)
    else:
        response = _answer(state.pages.error(page_request(request, state), 405))
    response.headers["Allow"] = allow
    return response


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
        _set_cookie(response, cookie)
    return response


def _set_cookie(response: Response, cookie: Cookie) -> None:
    response.set_cookie(
        cookie.name,
        cookie.value or "",
        max_age=0 if cookie.value is None else cookie.max_age,
        secure=cookie.secure,
        httponly=True,
        samesite="Lax",
        path="/",
    )


def _guard(response: Response) -> Response:
    """Put the headers of ours on every response of ours, files apart from no-store."""
    headers = dict(HEADERS)
    if request.endpoint == "parentauth.static":
        del headers["Cache-Control"]
    response.headers.update(headers)
    response.vary.add("Cookie")
    return response
