"""What one application has of us, and the request as the page flow wants it."""

import attrs

from flask import Flask, Request, current_app, get_flashed_messages, url_for
from flask_wtf.csrf import generate_csrf

from parentauth import Child, ParentAuth
from parentauth.flask._settings import Settings
from parentauth.pages import PageRequest, Pages

EXTENSION = "parentauth"


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
    state: State = (app or current_app).extensions[EXTENSION]
    return state


@attrs.frozen
class FlaskLinks:
    """Addresses by endpoint."""

    settings: Settings

    def page(self, name: str, /, **query: str) -> str:
        """Return the path of a page of ours."""
        return self._path(
            f"parentauth.{name}", **{key: text for key, text in query.items() if text}
        )

    def static(self, name: str) -> str:
        """Return the path of a file of ours."""
        return url_for("parentauth.static", filename=name)

    def extra_stylesheet(self) -> str:
        """Return the host's stylesheet."""
        return self.settings.stylesheet

    def dashboard(self, child: Child) -> str:
        """Return the host's page of a child."""
        return self._path(self.settings.dashboard, child_id=child.id)

    def no_child(self) -> str | None:
        """Return the host's page for a parent without child."""
        return self.settings.no_child and self._path(self.settings.no_child)

    def _path(self, target: str, **values: str) -> str:
        # As a path, whatever a value is called: never an address made from the request's host.
        return url_for(target, _external=False, **values)  # type: ignore[arg-type]  # values are str


def page_request(request: Request, state: State) -> PageRequest:
    """Read what the page flow needs, each field with all its values."""
    names = state.pages.cookies
    sessions = request.cookies.getlist(names.session)
    return PageRequest(
        method=request.method,
        links=FlaskLinks(state.settings),
        form=dict(request.form.lists()),
        query=dict(request.args.lists()),
        # A cookie that came twice was tossed in by a sibling host: nobody is signed in.
        session_id=sessions[0] if len(sessions) == 1 else None,
        device=request.cookies.get(names.device),
        language=request.cookies.get(names.language),
        accept_language=request.headers.get("Accept-Language"),
        address=request.remote_addr,
        csrf=_csrf,
        flashes=_flashes,
    )


def _flashes() -> list[str]:
    return [str(message) for message in get_flashed_messages()]


def _csrf() -> tuple[str, str]:
    return current_app.config["WTF_CSRF_FIELD_NAME"], generate_csrf()
