"""The extension: configuration in, core and blueprint out; the application is not kept."""

from collections.abc import Sequence
from typing import Any

from flask import Flask

import parentauth

from parentauth import Listener
from parentauth.flask._access import template_context
from parentauth.flask._cli import group
from parentauth.flask._signals import listener_for
from parentauth.flask._state import State, state_of
from parentauth.flask._views import blueprint
from parentauth.pages import Pages
from parentauth.ports import Mailer, Storage
from parentauth.settings import host_keys, read_settings


class ParentAuth:
    """
    Gives an application the pages, the session and the commands of parentauth.

    Args:
        app: The application, or None: call :meth:`init_app` later.
        storage: Keeps accounts and the outbox.
        mailer: Sends what ``flask parentauth deliver`` prepares.
        listeners: Called with each event, besides the signals.
        ports: ``hasher``, ``throttle`` and ``clock``, as :class:`parentauth.ParentAuth`
            takes them.

    Raises:
        ConfigurationError: A ``PARENTAUTH_*`` setting is missing, unknown or unsafe.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        storage: Storage,
        mailer: Mailer,
        listeners: Sequence[Listener] = (),
        **ports: Any,  # noqa: ANN401  typed where they are taken
    ) -> None:
        self._ports = {"storage": storage, "mailer": mailer, **ports}
        self._listeners = tuple(listeners)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """
        Read the configuration once and register everything with *app*.

        Raises:
            ConfigurationError: A setting is missing, unknown or unsafe.
        """
        keys = host_keys(app.config.get("SECRET_KEY"), app.config.get("SECRET_KEY_FALLBACKS"))
        settings = read_settings(app.config, secret_keys=keys)
        listeners = (*self._listeners, listener_for(app))
        auth = settings.auth(**self._ports, listeners=listeners)
        app.extensions["parentauth"] = State(auth, Pages(auth), settings)
        # A page that was left open over lunch must not be refused; its session decides.
        app.config.setdefault("WTF_CSRF_TIME_LIMIT", None)
        _strengthen_session_cookie(app, secure=auth.site.is_secure)
        app.register_blueprint(blueprint(auth.site.paths))
        app.context_processor(template_context)
        app.cli.add_command(group)


def _strengthen_session_cookie(app: Flask, *, secure: bool) -> None:
    """
    Give Flask's own cookie, which carries the CSRF token, what ours have.

    Source:
        OWASP ASVS 5.0, 3.3.1 and 3.3.2; Flask's own defaults have neither.
    """
    if secure:
        app.config["SESSION_COOKIE_SECURE"] = True
    app.config["SESSION_COOKIE_SAMESITE"] = app.config["SESSION_COOKIE_SAMESITE"] or "Lax"


def auth_of(app: Flask | None = None) -> parentauth.ParentAuth:
    """
    Return the core of *app*, or of the current application.

    Raises:
        KeyError: The extension was not initialised there.
    """
    return state_of(app).auth
