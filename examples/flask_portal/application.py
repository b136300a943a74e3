"""Puts the portal together: configuration, parentauth, the school's own pages."""

from collections.abc import Mapping
from typing import Any, Final

from flask import Flask, Response, render_template
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import HTTPException

from parentauth.exceptions import ConfigurationError
from parentauth.flask import ParentAuth, auth_of
from parentauth.mailers import SMTPMailer
from parentauth.pages import HEADERS
from parentauth.ports import Mailer
from parentauth.storage.sqlalchemy import SQLAlchemyStorage

from . import mailbox, pages
from .environment import from_environment

SCHOOL: Final = {
    "PARENTAUTH_SCHOOL_NAME": "École des Tilleuls",
    "PARENTAUTH_SCHOOL_TELEPHONE": "02 555 01 20",
    "PARENTAUTH_SCHOOL_ADDRESS": "Rue des Tilleuls 12, 1050 Ixelles",
    "PARENTAUTH_SCHOOL_EMAIL": "secretariat@tilleuls.example.org",
    "PARENTAUTH_DASHBOARD": "portal.dashboard",
    "PARENTAUTH_NO_CHILD": "portal.no_child",
}


def create_app(config: Mapping[str, Any] | None = None, **ports: Any) -> Flask:  # noqa: ANN401
    """
    Make the portal.

    Args:
        config: Wins over the environment; any Flask or parentauth setting, too.
        ports: What :class:`parentauth.flask.ParentAuth` takes beside storage and mailer.

    Raises:
        ParentAuthError: A setting is missing or unsafe; the text names the cure.
        OSError: The folder of the database can't be written.
    """
    app = Flask(__name__)
    app.config.from_mapping(SCHOOL)
    app.config.from_mapping(from_environment(config or {}))
    # This first: a form that was left open over lunch stays valid with its defaults.
    ParentAuth(app, storage=_storage(app), mailer=_mailer(app), **ports)
    CSRFProtect(app)
    app.register_blueprint(pages.blueprint)
    app.context_processor(lambda: {"school": auth_of().school})
    app.after_request(_guard)
    app.register_error_handler(HTTPException, _error)
    return app


def _storage(app: Flask) -> SQLAlchemyStorage:
    return SQLAlchemyStorage.from_url(app.config["PORTAL_DATABASE_URL"])


def _mailer(app: Flask) -> Mailer:
    """Send by SMTP; without a server, show the mails on a page of the portal instead."""
    url = app.config["PORTAL_SMTP_URL"]
    if not url:
        return mailbox.install(app)
    try:
        return SMTPMailer.from_url(url)
    except ConfigurationError as error:
        raise ConfigurationError(f"PORTAL_SMTP_URL: {error}") from None


def _guard(response: Response) -> Response:
    """Give the school's pages the headers that parentauth's pages have."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _error(error: HTTPException) -> tuple[str, int]:
    status = error.code or 500
    return render_template("portal/error.html", status=status), status
