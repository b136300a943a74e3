"""
The example portal over real HTTP: in a thread on a clock that tests set, or as a process.

    with live_portal(tmp_path, smtp_url=sink.url) as portal:
        browser = portal.browser()
        browser.get("/login")
        answer = browser.submit("/login", username="marie.dubois", password="...")
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request

from collections.abc import Callable, Iterator
from datetime import timedelta
from email.message import EmailMessage, Message
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit

import attrs

from flask import Flask

from examples.flask_portal import create_app, server
from parentauth import Argon2Hasher, ParentAuth, read_families
from parentauth.flask import auth_of
from parentauth.testing import FrozenClock

ROOT: Final = Path(__file__).parent.parent
FAMILIES: Final = ROOT / "examples" / "flask_portal" / "families.csv"
KEY: Final = "mZ3kQ8vXr1LwT6yB9dNf0sHcJ5gPaU7e"
PASSWORD: Final = "trois mots sans rapport"
LINK: Final = re.compile(r"https?://\S+/token/(\w+)")


# A browser, without scripts ----------------------------------------------------------------------


class _Forms(HTMLParser):
    """Collects each form's fields by its action; the language menu is another matter."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.by_action: dict[str, list[dict[str, str]]] = {}
        self._fields: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        if tag == "form":
            self._fields = {}
            if values.get("class") != "parentauth-languages":
                self.by_action.setdefault(values["action"], []).append(self._fields)
        if tag == "input":
            self._fields[values["name"]] = values.get("value", "")


@attrs.frozen
class Answer:
    """What came back."""

    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        """The page, with plain blanks: the texts have French ones before some marks."""
        return self.body.decode().replace("\xa0", " ").replace("&#39;", "'")

    @property
    def location(self) -> str:
        """Where a redirect leads to, without scheme and host."""
        parts = urlsplit(self.headers["Location"])
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def forms(self, action: str) -> list[dict[str, str]]:
        """The fields of the page's forms that are sent to *action*."""
        return _Forms(self.body.decode()).by_action.get(action, [])


class _Stay(urllib.request.HTTPRedirectHandler):
    """Redirects are followed by the test."""

    def redirect_request(self, *_: object) -> None:
        return None


class Browser:
    """Keeps cookies and the last page; sends forms as they stand there."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.cookies = CookieJar()
        self.page: Answer
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPCookieProcessor(self.cookies),
            _Stay(),
        )

    def get(self, path: str, **headers: str) -> Answer:
        """Open a page."""
        return self._send(path, headers=headers)

    def submit(self, action: str, form: int = 0, **fields: str) -> Answer:
        """Fill in a form of the last page and send it."""
        values = {**self.page.forms(action)[form], **fields}
        return self._send(action, data=urlencode(values).encode())

    def follow(self) -> Answer:
        """Go where the last answer leads to, until a page comes."""
        while self.page.status == 303:
            self.get(self.page.location)
        return self.page

    def cookie(self, name: str) -> str | None:
        """Return a cookie's value."""
        return next((cookie.value for cookie in self.cookies if cookie.name == name), None)

    def _send(self, path: str, **parts: Any) -> Answer:
        request = urllib.request.Request(self.base_url + path, **parts)  # noqa: S310  http
        try:
            response = self._opener.open(request, timeout=60)
        except HTTPError as error:
            response = error
        with response:
            self.page = Answer(response.status, response.headers, response.read())
        return self.page

    # -- What parents do

    def open_token(self, token: str) -> Answer:
        """Open the mailed link and press CONNEXION."""
        self.get(f"/token/{token}")
        return self.submit("/token")

    def choose_password(self, token: str, password: str = PASSWORD) -> Answer:
        """Go the whole way from the link to a saved password."""
        self.open_token(token)
        return self.submit("/password", new_password=password, confirmation=password)

    def sign_in(self, username: str, password: str = PASSWORD) -> Answer:
        """Open the sign-in page and send it."""
        self.get("/login")
        return self.submit("/login", username=username, password=password)

    def forget(self, email: str) -> Answer:
        """Ask for a new token."""
        self.get("/forgot")
        return self.submit("/forgot", email=email)


# Mails -------------------------------------------------------------------------------------------


def text_of(mail: EmailMessage) -> str:
    """Return a mail's text, with plain blanks."""
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\xa0", " ").replace("\r\n", "\n")


def tokens_of(mail: EmailMessage) -> list[str]:
    """Return the tokens of a mail's links."""
    return LINK.findall(text_of(mail))


# In a thread -------------------------------------------------------------------------------------


@attrs.frozen
class Portal:
    """A portal that runs in this process."""

    app: Flask
    auth: ParentAuth
    base_url: str
    clock: FrozenClock

    def browser(self) -> Browser:
        """Return a browser of its own."""
        return Browser(self.base_url)

    def deliver(self, *, after: timedelta = timedelta(seconds=10)) -> None:
        """Let the worker's turn come, when whatever was asked for is due."""
        self.clock.advance(after)
        self.auth.deliver()


@contextlib.contextmanager
def live_portal(folder: Path, *, smtp_url: str, **config: Any) -> Iterator[Portal]:
    """Serve the portal on a free port, families imported, a SQLite file, a cheap hasher."""
    clock = FrozenClock()
    with server.listen(0) as listener:
        settings = {
            "PORT": listener.getsockname()[1],
            "PORTAL_DATABASE_URL": f"sqlite:///{folder}/portal.db",
            "PORTAL_SECRET_KEYS": [KEY],
            "PORTAL_SMTP_URL": smtp_url,
            **config,
        }
        app = create_app(settings, clock=clock, hasher=Argon2Hasher.for_tests())
        auth = auth_of(app)
        auth.storage.create_all()
        auth.save(read_families(FAMILIES, zone=auth.school.zone))
        with server.serving(app, listener):
            yield Portal(app, auth, auth.site.base_url, clock)
        auth.storage.engine.dispose()


# As a process ------------------------------------------------------------------------------------


def environment(**variables: str) -> dict[str, str]:
    """Return what a process of the portal is started with: nothing of this one's settings."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "PORT": "0", **variables}


@attrs.define
class Demo:
    """``make demo``, without make."""

    process: subprocess.Popen[str]
    folder: Path
    told: list[str]

    @property
    def base_url(self) -> str:
        """The address after ``ready``."""
        return self.told[-1].removeprefix("ready ")

    @property
    def log(self) -> str:
        """What it wrote to standard error up to now."""
        return (self.folder / "log").read_text("utf-8")

    def browser(self) -> Browser:
        """Return a browser of its own."""
        return Browser(self.base_url)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)


@contextlib.contextmanager
def demo(folder: Path, **variables: str) -> Iterator[Demo]:
    """Start the portal in *folder* and wait for its ready line."""
    with (folder / "log").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "examples.flask_portal"],
            cwd=folder,
            env=environment(**variables),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
        )
    with process:
        try:
            assert process.stdout is not None
            told = list[str]()
            for line in process.stdout:
                told.append(line.rstrip("\n"))
                if line.startswith("ready "):
                    break
            running = Demo(process, folder, told)
            assert told[-1:], running.log
            yield running
        finally:
            process.kill()


def eventually(condition: Callable[[], Any], *, seconds: float = 30) -> Any:
    """Wait for what another process does, and return what *condition* then gives."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
    return found
