"""What one application has of us, and the request as the page flow wants it."""

import attrs

from flask import Flask, Request, current_app, get_flashed_messages, url_for
from flask_wtf.csrf import generate_csrf

from parentauth import ParentAuth
from parentauth.pages import HostLinks, PageRequest, Pages, client_address
from parentauth.settings import Settings


@attrs.frozen
class State:
    """What one application has of us."""

    auth: ParentAuth
    pages: Pages
    settings: Settings


def state_of(app: Flask | None = None) -> State:
    """
    Return what *app*, or the current application, has of us.

    Raises:
        KeyError: The extension was not initialised there.
    """
    state: State = (app or current_app).extensions["parentauth"]
    return state


def _links(settings: Settings) -> HostLinks:
    return HostLinks(
        settings,
        ours=lambda page, query: url_for(f"parentauth.{page}", _external=False, **query),
        static=lambda name: url_for("parentauth.static", filename=name),
        host=lambda endpoint, values: url_for(endpoint, _external=False, **values),
    )


def session_id_of(request: Request, state: State) -> str | None:
    """Return what the session's cookie holds."""
    sessions = request.cookies.getlist(state.pages.cookies.session)
    # A cookie that came twice was tossed in by a sibling host: nobody is signed in.
    return sessions[0] if len(sessions) == 1 else None


def page_request(request: Request, state: State, *, with_form: bool = True) -> PageRequest:
    """
    Read what the page flow needs, each field with all its values.

    Args:
        with_form: False where the form itself is what can't be read.
    """
    names = state.pages.cookies
    return PageRequest(
        method=request.method,
        links=_links(state.settings),
        form=dict(request.form.lists()) if with_form else {},
        query=dict(request.args.lists()),
        session_id=session_id_of(request, state),
        device=request.cookies.get(names.device),
        language=request.cookies.get(names.language),
        accept_language=request.headers.get("Accept-Language"),
        address=client_address(
            request.remote_addr,
            ",".join(request.headers.getlist("X-Forwarded-For")),
            trusted=state.settings.trusted_proxies,
        ),
        fetch_site=request.headers.get("Sec-Fetch-Site"),
        origin=request.headers.get("Origin"),
        host=request.host,
        csrf=lambda: (
            current_app.config.get("WTF_CSRF_FIELD_NAME", "csrf_token"),
            generate_csrf(),
        ),
        flashes=lambda: [str(message) for message in get_flashed_messages()],
    )
