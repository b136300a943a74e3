"""The extension: configuration in, core and blueprint out; the application is not kept."""

from collections.abc import Sequence

from flask import Flask

import parentauth

from parentauth import Listener
from parentauth.flask._access import template_context
from parentauth.flask._cli import group
from parentauth.flask._settings import read_settings
from parentauth.flask._signals import listener_for
from parentauth.flask._state import EXTENSION, State, state_of
from parentauth.flask._views import blueprint, prepare_csrf
from parentauth.pages import Pages
from parentauth.ports import Clock, Hasher, Mailer, Storage, Throttle


class ParentAuth:
    """
    Gives an application the pages, the session and the commands of parentauth.

    Args:
        app: The application, or None: call :meth:`init_app` later.
        storage: Keeps accounts and the outbox.
        mailer: Sends what ``flask parentauth deliver`` prepares.
        hasher: Default: Argon2id.
        throttle: Default: counters in this process's memory.
        clock: Default: the system's.
        listeners: Called with each event, besides the signals.

    Raises:
        ConfigurationError: A ``PARENTAUTH_*`` setting is missing, unknown or unsafe.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        storage: Storage,
        mailer: Mailer,
        hasher: Hasher | None = None,
        throttle: Throttle | None = None,
        clock: Clock | None = None,
        listeners: Sequence[Listener] = (),
    ) -> None:
        self._storage = storage
        self._mailer = mailer
        self._hasher = hasher
        self._throttle = throttle
        self._clock = clock
        self._listeners = tuple(listeners)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """
        Read the configuration once and register everything with *app*.

        Raises:
            ConfigurationError: A setting is missing, unknown or unsafe.
        """
        settings = read_settings(app.config)
        auth = parentauth.ParentAuth(
            storage=self._storage,
            mailer=self._mailer,
            hasher=self._hasher,
            throttle=self._throttle,
            clock=self._clock,
            listeners=(*self._listeners, listener_for(app)),
            **settings.core(),
        )
        app.extensions[EXTENSION] = State(auth, Pages(auth), settings)
        prepare_csrf(app)
        app.register_blueprint(blueprint(auth.site.paths))
        app.context_processor(template_context)
        app.cli.add_command(group)


def auth_of(app: Flask | None = None) -> parentauth.ParentAuth:
    """
    Return the core of *app*, or of the current application.

    Raises:
        KeyError: The extension was not initialised there.
    """
    return state_of(app).auth
