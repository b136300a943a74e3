import re

from datetime import timedelta
from typing import Any

import pytest

from flask import Flask, abort
from werkzeug.test import TestResponse

from parentauth.exceptions import BusyError
from tests.doubles import CountingHasher
from tests.flask_app import (
    DEVICE,
    GARBAGE,
    LANGUAGE,
    SESSION,
    Browser,
    Site,
    set_cookies,
)
from tests.school import OTHER_PASSWORD, PASSWORD

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Cookie",
    "Content-Type": "text/html; charset=utf-8",
}
ALLOWED = {
    "/login": "GET, HEAD, POST",
    "/token": "GET, HEAD, POST",
    f"/token/{GARBAGE}": "GET, HEAD",
    "/password": "GET, HEAD, POST",
    "/password/change": "GET, HEAD, POST",
    "/forgot": "GET, HEAD, POST",
    "/children": "GET, HEAD, POST",
    "/logout": "POST",
    "/.well-known/change-password": "GET, HEAD",
}
COOKIES = {SESSION, DEVICE, LANGUAGE}


def check(response: TestResponse) -> None:
    """Look at what every answer of ours has."""
    missing = {
        name: response.headers.get(name)
        for name, value in HEADERS.items()
        if value != response.headers.get(name)
    }
    assert {} == missing
    for name, line in set_cookies(response).items():
        if name in COOKIES:
            check_cookie(line)


def check_cookie(line: str) -> None:
    """Look at what every cookie of ours has."""
    parts = [part.strip() for part in line.split(";")]
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(parts)
    assert not [part for part in parts if part.startswith("Domain")]
    assert len(line) < 4096


class TestInventory:
    def test_routes(self) -> None:
        """These are all the addresses that there are."""
        rules = [rule for rule in Site().app.url_map.iter_rules() if "parentauth." in rule.endpoint]

        assert sorted([*ALLOWED, "/parentauth/<path:filename>"]) == sorted(
            rule.rule.replace("<path:token>", GARBAGE) for rule in rules
        )

    @pytest.mark.parametrize("path", [path for path in ALLOWED if "POST" not in ALLOWED[path]])
    def test_pages_without_form(self, path: str) -> None:
        """A page without a form takes none, not even from its own site."""
        response = Site().browser().post(path, token=GARBAGE)

        assert (405, "GET, HEAD") == (response.status_code, response.headers["Allow"])
        check(response)

    @pytest.mark.parametrize("signed_in", [False, True])
    @pytest.mark.parametrize("host_protects", [False, True])
    @pytest.mark.parametrize("path", ALLOWED)
    def test_methods(self, path: str, signed_in: bool, host_protects: bool) -> None:  # noqa: FBT001
        """Every method on every address is answered by us, with our headers."""
        from flask_wtf.csrf import CSRFProtect

        site = Site(after=CSRFProtect if host_protects else lambda _: None)
        browser = site.signed_in("p2") if signed_in else site.browser()
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            response = browser.open(path, method)
            check(response)
            if method == "POST":
                assert 403 == response.status_code
            elif method in ALLOWED[path]:
                assert response.status_code in {200, 303}
            else:
                assert (405, ALLOWED[path]) == (response.status_code, response.headers["Allow"])
            if method == "HEAD":
                assert b"" == response.data


class TestStatus:
    @pytest.fixture
    def site(self) -> Site:
        """Give a portal."""
        return Site()

    def test_303(self, site: Site) -> None:
        """Every form that succeeds answers 303, CONNEXION excepted."""
        browser, token = site.browser(), site.invited("p2")
        new = {"new_password": PASSWORD, "confirmation": PASSWORD}
        other = {"new_password": OTHER_PASSWORD, "confirmation": OTHER_PASSWORD}
        checked = browser.post("/token", token=token)
        answers = [
            browser.post("/password", token=token, **new),
            browser.post("/children", child="c2"),
            browser.post("/password/change", current_password=PASSWORD, **other),
            browser.post("/logout"),
            browser.sign_in("bert", OTHER_PASSWORD),
            browser.post("/forgot", email="bert@example.be"),
            browser.post("/forgot", lang="nl"),
        ]

        assert 200 == checked.status_code
        assert [303] * len(answers) == [answer.status_code for answer in answers]
        for answer in (checked, *answers):
            check(answer)

    def test_400(self, site: Site) -> None:
        """A form that no page of ours sends is answered in the parent's words."""
        response = site.browser().post("/login", username=["anna", "bert"], password="x")

        assert (400, True) == (response.status_code, "could not be read" in response.text)
        check(response)

    def test_404(self, site: Site) -> None:
        """A child that is not the parent's does not exist."""
        response = site.signed_in("p1").post("/children", child="c2")

        assert 404 == response.status_code
        check(response)

    def test_413(self, site: Site) -> None:
        """A form far too large is refused before it is read."""
        response = site.browser().send("/login", {"username": "a" * 1_000_000})

        assert 413 == response.status_code
        check(response)

    def test_422(self, site: Site) -> None:
        """A form that was refused comes back."""
        browser = site.browser()
        for response in (
            browser.sign_in("anna", "wrong"),
            browser.post("/token", token=""),
            browser.post("/token", token=GARBAGE),
            browser.post("/password", token=GARBAGE),
            browser.post("/forgot", email="no address"),
            site.signed_in("p1").post("/password/change", current_password="wrong"),
        ):
            assert 422 == response.status_code
            check(response)

    def test_429(self, site: Site) -> None:
        """A limit says when to come back."""
        browser = site.browser()
        for _ in range(10):
            browser.sign_in("anna", "wrong")
        response = browser.sign_in("anna", "wrong")

        assert (429, "900") == (response.status_code, response.headers["Retry-After"])
        check(response)

    def test_429_for_good(self, site: Site) -> None:
        """Where only a new token helps, nothing says when to come back."""
        browser = site.browser()
        for attempt in range(100):
            browser.sign_in("anna", "wrong")
            if attempt % 10 == 9:
                site.clock.advance(timedelta(minutes=16))
        response = browser.sign_in("anna", "wrong")

        assert 429 == response.status_code
        assert "Retry-After" not in response.headers
        assert 'href="/forgot"' in response.text
        check(response)

    def test_429_of_resets(self, site: Site) -> None:
        """Too many reset requests from one place are told, whatever the addresses."""
        browser = site.browser()
        for number in range(300):
            browser.post("/forgot", email=f"p{number}@example.be")
        response = browser.post("/forgot", email="anna@example.be")

        assert (429, "3600") == (response.status_code, response.headers["Retry-After"])
        check(response)

    def test_503(self) -> None:
        """Where too many sign in at once, the surplus is asked to come back."""

        class Busy:
            def __init__(self) -> None:
                self.inner = CountingHasher()

            def __getattr__(self, name: str) -> Any:
                return getattr(self.inner, name)

            def verify(self, **_: str) -> bool:
                raise BusyError(timedelta(seconds=2))

        response = Site(hasher=Busy()).browser().sign_in("anna", "x")

        assert (503, "2") == (response.status_code, response.headers["Retry-After"])
        check(response)


class TestBroken:
    """A storage that fails, on every page that needs it."""

    @pytest.fixture
    def site(self) -> Site:
        """Give a portal whose host serves errors as in production."""
        return Site()

    def _broken(self, site: Site) -> None:
        def fail(*_: object, **__: object) -> None:
            raise OSError("the secret path /srv/portal.db")

        for name in ("account", "replace", "enqueue"):
            setattr(site.storage, name, fail)

    @pytest.mark.parametrize(
        "path", ["/login", "/children", "/password/change", f"/token/{GARBAGE}"]
    )
    def test_reading(self, site: Site, path: str) -> None:
        """A signed-in parent sees an error page, without jargon and with our headers."""
        browser = site.signed_in("p2")
        link = site.invited("p1")
        self._broken(site)
        response = browser.get(path.replace(GARBAGE, link))

        self._check(response)

    @pytest.mark.parametrize(
        ("path", "form"),
        [
            ("/login", {"username": "anna", "password": "x"}),
            ("/forgot", {"email": "anna@example.be"}),
            ("/children", {"child": "c2"}),
            ("/logout", {}),
        ],
    )
    def test_writing(self, site: Site, path: str, form: dict[str, str]) -> None:
        """The same for forms."""
        browser = site.signed_in("p2")
        assert browser.csrf
        self._broken(site)

        self._check(browser.post(path, **form))

    def test_refused(self, site: Site) -> None:
        """The same where a form without CSRF token meets a broken storage."""
        browser = site.signed_in("p2")
        self._broken(site)

        self._check(browser.send("/forgot", {}))

    def test_too_large(self, site: Site) -> None:
        """A form too large is told as such even then."""
        browser = site.signed_in("p2")
        self._broken(site)
        response = browser.send("/login", {"username": "a" * 1_000_000})

        assert response.status_code in {413, 500}
        check(response)

    def _check(self, response: TestResponse) -> None:
        assert 500 == response.status_code
        assert "A problem occurred. Try again later." in response.text
        assert "02 555 12 34" in response.text
        assert "secret path" not in response.text
        check(response)


class TestHostHandlers:
    def test_their_errors(self) -> None:
        """A host's handler for everything does not take our headers away."""

        def add(app: Flask) -> None:
            app.register_error_handler(Exception, lambda error: ("host's page", 500))
            app.register_error_handler(400, lambda error: ("host's 400", 400))
            app.add_url_rule("/gone", "gone", lambda: abort(410))

        site = Site(after=add)
        refused = site.browser().send("/forgot", {"email": "x@example.be"})
        gone = site.browser().get("/gone")

        assert (403, "host's page") == (refused.status_code, gone.text)
        check(refused)


class TestStatic:
    @pytest.mark.parametrize("name", ["parentauth.css", "parentauth.js"])
    def test_cacheable(self, name: str) -> None:
        """Stylesheet and script may be kept by the browser, and come with their type."""
        browser = Site().browser()
        response = browser.get(f"/parentauth/{name}")
        again = browser.get(
            f"/parentauth/{name}", headers={"If-None-Match": response.headers["ETag"]}
        )

        assert (200, 304) == (response.status_code, again.status_code)
        assert "no-store" not in response.headers["Cache-Control"]
        assert re.fullmatch(
            r"text/(css|javascript); charset=utf-8", response.headers["Content-Type"]
        )
        assert "nosniff" == response.headers["X-Content-Type-Options"]
        assert {} == set_cookies(response)

    def test_missing(self) -> None:
        """A file that is not there is an answer like any other."""
        response = Site().browser().get("/parentauth/nothing.css")

        assert 404 == response.status_code
        check(response)


class TestCookies:
    def test_https(self) -> None:
        """On https, sign-in gives the session and the device, with the strictest attributes."""
        site = Site()
        site.connected("p1")
        given = set_cookies(site.browser().sign_in("anna"))

        assert {SESSION, DEVICE} <= given.keys()
        assert "Max-Age" not in given[SESSION]
        assert "Max-Age=31536000" in given[DEVICE]

    def test_loopback(self) -> None:
        """On loopback without https the names are plain, and the rest stays."""
        site = Site(config={"PARENTAUTH_BASE_URL": "http://127.0.0.1:5000"})
        site.connected("p1")
        browser = Browser(site.app.test_client(), origin="http://127.0.0.1:5000")
        given = set_cookies(browser.sign_in("anna"))
        given |= set_cookies(browser.post("/children", lang="fr"))

        for name in ("parentauth", "parentauth-device", "parentauth-lang"):
            assert "Secure" not in given[name]
            assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= {
                part.strip() for part in given[name].split(";")
            }

    def test_of_flask(self) -> None:
        """Flask's own cookie, in which the CSRF token travels, is as strict; its name is the host's."""
        cookie = set_cookies(Site().browser().get("/login"))["session"]
        plain = Site(
            config={
                "PARENTAUTH_BASE_URL": "http://127.0.0.1:5000",
                "SESSION_COOKIE_SAMESITE": "Strict",
            }
        )
        page = plain.app.test_client().get("/login", base_url="http://127.0.0.1:5000")

        check_cookie(cookie)
        assert "SameSite=Strict" in set_cookies(page)["session"]
        assert "Secure" not in set_cookies(page)["session"]

    def test_nothing_personal(self) -> None:
        """No cookie tells who its holder is."""
        site = Site()
        site.connected("p1")
        lines = " ".join(set_cookies(site.browser().sign_in("anna")).values()).lower()

        assert not [word for word in ("anna", "peeters", "p1;", "noor", "example") if word in lines]

    def test_anonymous(self) -> None:
        """Who only looks gets no cookie of ours."""
        browser = Site().browser()
        given = [set_cookies(browser.get(path)) for path in ALLOWED]

        assert not [cookies for cookies in given if cookies.keys() & COOKIES]

    def test_sign_out(self) -> None:
        """Signing out removes the session, forgets what the browser cached, and keeps the device."""
        browser = Site().signed_in("p1")
        response = browser.post("/logout")

        assert '"cache"' == response.headers["Clear-Site-Data"]
        assert "Max-Age=0" in set_cookies(response)[SESSION]
        assert DEVICE not in set_cookies(response)
        assert "/login?notice=signed-out" == response.headers["Location"]
        assert "You are signed out." in browser.get(response.headers["Location"]).text
