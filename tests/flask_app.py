"""A small Flask host around the school of ``tests.school``, and a browser that visits it."""

import html
import re

from collections.abc import Callable, Mapping
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import attrs
import sqlalchemy

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from parentauth.flask import (
    ParentAuth,
    auth_of,
    child_required,
    current_child,
    current_parent,
    parent_required,
)
from parentauth.storage.sqlalchemy import SQLAlchemyStorage
from tests.school import BASE_URL, PASSWORD, SCHOOL, SECRET, Portal

HOST_SECRET: Final = "v8Rk1nYtQ4bHs6WcX0eZjMu3LpDa5Fg9-host"
CONFIG: Final[Mapping[str, Any]] = {
    "SECRET_KEY": HOST_SECRET,
    "PARENTAUTH_SECRET_KEYS": [SECRET],
    "PARENTAUTH_BASE_URL": BASE_URL,
    "PARENTAUTH_SCHOOL_NAME": SCHOOL.name,
    "PARENTAUTH_SCHOOL_TELEPHONE": SCHOOL.telephone,
    "PARENTAUTH_DASHBOARD": "dashboard",
    "PARENTAUTH_HASHES_AT_ONCE": 2,
    # A broken storage is to be seen as a parent sees it.
    "PROPAGATE_EXCEPTIONS": False,
}
SESSION: Final = "__Host-parentauth"
DEVICE: Final = "__Host-parentauth-device"
LANGUAGE: Final = "__Host-parentauth-lang"
GARBAGE: Final = "0" * 32
# The session cookie of Flask holds the CSRF token, which is new on each page.
_RANDOM: Final = re.compile(r'(name="csrf_token" value=|session=)"?[^";]+')
_CSRF: Final = re.compile(r'name="csrf_token" value="([^"]*)"')


def add_pages(app: Flask) -> None:
    """Add the pages of a host."""

    @app.get("/child/<child_id>")
    @child_required
    def dashboard(child_id: str) -> str:
        return f"dashboard of {child_id}, {current_child.name}, {current_parent.username}"

    @app.get("/agenda/été")
    @child_required
    def agenda() -> str:
        return f"agenda of {current_child.name}"

    @app.get("/mine")
    @parent_required
    def mine() -> str:
        return f"mine: {current_parent.username}, {current_child.name if current_child else None}"

    @app.get("/nobody")
    def nobody() -> str:
        return "no child here"

    @app.post("/host-form")
    def host_form() -> str:
        return "host's own"


def no_more(_: Flask) -> None:
    """Do nothing to the application."""


@attrs.define
class Site(Portal):
    """
    The portal, behind Flask.

    Args:
        config: Wins over :data:`CONFIG`; None takes a key away.
        before: Called with the application before the extension is initialised.
        after: Called with it afterwards.
        import_name: Of the application: where its templates are.
        root: Folder of the application, or None.
    """

    config: dict[str, Any] = attrs.field(factory=dict)
    before: Callable[[Flask], None] = no_more
    after: Callable[[Flask], None] = no_more
    root: Path | None = None
    app: Flask = attrs.field(init=False)

    def new_auth(self, **settings: Any) -> Any:
        """Make another application over the same ports, and return its core."""
        self.app = Flask("school", root_path=str(self.root or Path(__file__).parent))
        merged = {**CONFIG, **self.config, **settings}
        self.app.config.update({key: value for key, value in merged.items() if value is not None})
        self.before(self.app)
        ParentAuth(
            self.app,
            storage=self.storage,
            mailer=self.mailer,
            listeners=[self.events.append],
            clock=self.clock,
            hasher=self.hasher,
            throttle=self.throttle,
            **self.settings,
        )
        add_pages(self.app)
        self.after(self.app)
        return auth_of(self.app)

    def browser(self, **values: Any) -> "Browser":
        """Start another browser."""
        return Browser(self.app.test_client(), **values)

    def signed_in(self, account_id: str = "p1", **values: Any) -> "Browser":
        """Return the browser of a parent who has just connected for the first time."""
        browser = self.browser(**values)
        response = browser.post(
            "/password",
            token=self.invited(account_id),
            new_password=PASSWORD,
            confirmation=PASSWORD,
        )
        assert 303 == response.status_code, response.text
        self.deliver()
        self.forget()
        return browser

    @property
    def flask_events(self) -> list[str]:
        """The kinds of the events noted, as words."""
        return [event.kind.value for event in self.events]


@attrs.define
class Browser:
    """
    A browser: keeps cookies, says where it comes from, and reads forms.

    Args:
        origin: Of the site as this browser sees it.
        address: Its own.
    """

    client: FlaskClient
    origin: str = BASE_URL
    address: str = "192.0.2.7"
    mount: str = ""
    _csrf: str = ""

    def open(self, path: str, method: str = "GET", **values: Any) -> TestResponse:
        """Send one request."""
        headers = {"Accept-Language": "en", **values.pop("headers", {})}
        overrides = {"REMOTE_ADDR": self.address, **values.pop("environ", {})}
        return self.client.open(
            path,
            method=method,
            base_url=self.origin + self.mount,
            headers=headers,
            environ_overrides=overrides,
            buffered=True,
            **values,
        )

    def get(self, path: str, **values: Any) -> TestResponse:
        """Open an address."""
        return self.open(path, **values)

    def send(self, path: str, data: Any, **values: Any) -> TestResponse:
        """Post just this, with what a browser says of itself."""
        headers = {
            "Origin": self.origin,
            "Referer": f"{self.origin}/",
            "Sec-Fetch-Site": "same-origin",
            **values.pop("headers", {}),
        }
        headers = {name: value for name, value in headers.items() if value is not None}
        return self.open(path, "POST", data=data, headers=headers, **values)

    def post(self, path: str, /, **fields: Any) -> TestResponse:
        """Send a form of ours, with this browser's CSRF token."""
        return self.send(path, {"csrf_token": self.csrf, **fields})

    @property
    def csrf(self) -> str:
        """The CSRF token of this browser."""
        if not self._csrf:
            self._csrf = csrf_of(self.get("/token"))
        return self._csrf

    def sign_in(self, username: str, password: str = PASSWORD, **fields: Any) -> TestResponse:
        """Send the sign-in form."""
        return self.post("/login", username=username, password=password, **fields)

    def cookie(self, name: str) -> str | None:
        """Return a cookie's value."""
        found = self.client.get_cookie(name, self.origin.partition("://")[2].partition(":")[0])
        return found.value if found else None

    def give(self, name: str, value: str) -> None:
        """Put a cookie into the browser."""
        domain = self.origin.partition("://")[2].partition(":")[0]
        self.client.set_cookie(name, value, domain=domain, path="/")

    @property
    def is_signed_in(self) -> bool:
        """Tell whether the site knows who this is."""
        return 200 == self.get("/mine").status_code


def csrf_of(response: TestResponse) -> str:
    """Return the CSRF token on a page."""
    found = _CSRF.search(response.text)
    assert found is not None, response.text
    return html.unescape(found[1])


def masked(response: TestResponse, *typed: str) -> tuple[int, list[tuple[str, str]], str]:
    """Return status, headers and body, without what is random or was typed."""
    body = _RANDOM.sub("*", response.text)
    for text in typed:
        body = body.replace(text, "typed")
    headers = [
        (name, _RANDOM.sub("*", value))
        for name, value in response.headers
        # Depends on the length of what was typed.
        if name != "Content-Length"
    ]
    return response.status_code, headers, body


def set_cookies(response: TestResponse) -> dict[str, str]:
    """Return the ``Set-Cookie`` headers by the cookie's name."""
    return {line.partition("=")[0]: line for line in response.headers.getlist("Set-Cookie")}


@attrs.define
class PageForm:
    """A form on a page."""

    action: str
    fields: dict[str, str] = attrs.field(factory=dict)
    buttons: list[tuple[str, str]] = attrs.field(factory=list)


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[PageForm] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "form":
            self.forms.append(PageForm(given["action"]))
        elif tag == "input" and given.get("name"):
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif tag == "button" and given.get("name"):
            self.forms[-1].buttons.append((given["name"], given["value"]))


def forms_of(response: TestResponse) -> list[PageForm]:
    """Return the forms on a page; the first is the language menu's."""
    reader = _FormReader()
    reader.feed(response.text)
    return reader.forms


def sqlite_storage(folder: Path) -> SQLAlchemyStorage:
    """Give a storage in a SQLite file that has the school's families already."""
    path = folder / "portal.db"
    path.write_bytes(_school_database())
    return SQLAlchemyStorage.from_url(f"sqlite:///{path}")


@cache
def _school_database() -> bytes:
    """Make the file once: each test takes a copy, which costs no flush to the disk."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "school.db"
        storage = SQLAlchemyStorage.from_url(f"sqlite:///{path}")
        storage.create_all()
        Portal(storage=storage)
        storage.engine.dispose()
        return path.read_bytes()


def dump(engine: sqlalchemy.Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table."""
    with engine.connect() as connection:
        tables = sqlalchemy.inspect(connection).get_table_names()
        return {
            table: sorted(
                (tuple(row) for row in connection.exec_driver_sql(f'SELECT * FROM "{table}"')),
                key=repr,
            )
            for table in tables
        }
