"""A portal in Flask, and what sends requests to it without a server in between."""

import io

from typing import Any, Final
from urllib.parse import urlencode

from flask import Flask
from school import BASE_URL, PASSWORD, SECRET, USERNAME, DroppingMailer
from werkzeug.test import run_wsgi_app

from parentauth import Argon2Hasher
from parentauth.flask import ParentAuth
from parentauth.ports import Storage

HOST: Final = BASE_URL.partition("://")[2]
FORM: Final = {"username": USERNAME, "password": PASSWORD}


class Sender:
    """
    Sends one request to an application, over and over.

    Args:
        path: What is asked for: by GET, or with a *form* by POST.
        cookie: The ``Cookie`` header.
        expected: The answer's status; another one is an error.
    """

    def __init__(
        self,
        app: Flask,
        path: str,
        form: dict[str, str] | None = None,
        *,
        cookie: str = "",
        expected: int = 200,
    ) -> None:
        self._app = app
        self._expected = f"{expected} "
        self._body = urlencode(form or {}).encode()
        self._environ: dict[str, Any] = {
            "REQUEST_METHOD": "GET" if form is None else "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": HOST,
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.7",
            "HTTP_HOST": HOST,
            "HTTP_ORIGIN": BASE_URL,
            "HTTP_REFERER": f"{BASE_URL}/login",
            "HTTP_COOKIE": cookie,
            "HTTP_ACCEPT_LANGUAGE": "fr-BE,fr;q=0.9,en;q=0.5",
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(self._body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }

    def __call__(self) -> None:
        """Send it."""
        environ = {**self._environ, "wsgi.input": io.BytesIO(self._body)}
        _, status, _ = run_wsgi_app(self._app.wsgi_app, environ, buffered=True)
        assert status.startswith(self._expected), status


def make_app() -> Flask:
    """Return an empty application of a host that has sessions."""
    app = Flask(__name__)
    app.config["SECRET_KEY"] = SECRET[::-1]
    return app


def make_portal(storage: Storage) -> Flask:
    """Return a portal over *storage*."""
    app = make_app()
    app.config.update(
        PARENTAUTH_SECRET_KEYS=[SECRET],
        PARENTAUTH_BASE_URL=BASE_URL,
        PARENTAUTH_SCHOOL_NAME="École des Tilleuls",
        PARENTAUTH_DASHBOARD="/child/{child_id}",
    )
    ParentAuth(app, storage=storage, mailer=DroppingMailer(), hasher=Argon2Hasher.for_tests())
    return app


def sign_in_sender(app: Flask) -> Sender:
    """Open the sign-in page and return what sends its form."""
    page = app.test_client().get("/login", base_url=BASE_URL)
    csrf = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    return Sender(app, "/login", {"csrf_token": csrf, **FORM}, cookie=cookie, expected=303)
