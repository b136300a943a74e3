"""What a stranger can see must not tell who has an account."""

import re

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import sqlalchemy

from parentauth.storage.sqlalchemy import SQLAlchemyThrottle
from tests.flask_app import Browser, Site, masked, sqlite_storage
from tests.school import OTHER_PASSWORD, PASSWORD


@attrs.frozen
class Seen:
    """What one request showed, and what it made the database do."""

    status: int
    headers: list[tuple[str, str]]
    body: str
    statements: tuple[str, ...]
    verified: int

    @property
    def outside(self) -> tuple[Any, ...]:
        """What the visitor sees."""
        return self.status, self.headers, self.body


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Give a portal in a SQLite file, its counters, too; four parents, each in another state."""
    storage = sqlite_storage(tmp_path)
    site = Site(storage=storage, throttle=SQLAlchemyThrottle(storage.engine))
    site.connected("p1")
    site.connected("p3")
    site.auth.set_active("p3", active=False)
    site.connected("p4")
    site.connected("p5")
    yield site
    storage.engine.dispose()


def watched(site: Site, browser: Browser, path: str, **form: str) -> Seen:
    """Send a form and note everything."""
    assert browser.csrf
    statements: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    site.hasher.reset()
    sqlalchemy.event.listen(site.storage.engine, "before_cursor_execute", note)
    try:
        response = browser.post(path, **form)
    finally:
        sqlalchemy.event.remove(site.storage.engine, "before_cursor_execute", note)
    typed = [form[name] for name in ("username", "email") if name in form]
    return Seen(*masked(response, *typed), tuple(statements), site.hasher.verified)


# Unknown, wrong, no password yet, closed, and no name at all.
SIGN_INS = {
    "unknown": ("nobody", PASSWORD),
    "wrong": ("anna", OTHER_PASSWORD),
    "no password yet": ("bert", PASSWORD),
    "closed": ("cara", PASSWORD),
    "closed and wrong": ("cara", OTHER_PASSWORD),
    "an address": ("anna@example.be", PASSWORD),
    "an id": ("p1", PASSWORD),
    "too long": ("x" * 200, PASSWORD),
}


class TestSignIn:
    def test_equal(self, site: Site) -> None:
        """Whatever is wrong: same status, headers, bytes and statements, and one verification."""
        seen = {
            name: watched(site, site.browser(), "/login", username=username, password=password)
            for name, (username, password) in SIGN_INS.items()
        }
        unknown = seen["unknown"]

        assert (422, 1) == (unknown.status, unknown.verified)
        assert len(unknown.statements) > 3
        assert [] == [name for name, one in seen.items() if one != unknown]

    def test_right(self, site: Site) -> None:
        """The right password, for comparison, is another answer."""
        assert 303 == site.browser().sign_in("anna").status_code

    def test_exhausted(self, site: Site) -> None:
        """Over the limit the answers are equal too, the right password's included; none is verified."""
        seen = {}
        for name, (username, password) in SIGN_INS.items():
            browser = site.browser(address=f"198.51.100.{len(seen)}")
            for _ in range(10):
                browser.sign_in(username, OTHER_PASSWORD)
            seen[name] = watched(site, browser, "/login", username=username, password=password)
        right = watched(site, browser, "/login", username="anna", password=PASSWORD)

        assert (429, 0) == (seen["unknown"].status, seen["unknown"].verified)
        assert [] == [name for name, one in seen.items() if one != seen["unknown"]]
        assert right == seen["unknown"]

    def test_with_empty_fields(self, site: Site) -> None:
        """An empty form is answered like any wrong one."""
        empty = watched(site, site.browser(), "/login", username="", password="")

        assert (422, 1) == (empty.status, empty.verified)


RESETS = {
    "known": "anna@example.be",
    "unknown": "nobody@example.be",
    "several accounts": "wouters@example.be",
    "never connected": "bert@example.be",
    "closed": "cara@example.be",
    "another spelling": "ANNA@EXAMPLE.BE",
    "in other letters": "nobody@écoles.example.be",
}


class TestReset:
    def test_equal(self, site: Site) -> None:
        """Whoever it is for: same status, headers, bytes and statements."""
        seen = {}
        for name, email in RESETS.items():
            seen[name] = watched(site, site.browser(), "/forgot", email=email)
        unknown = seen["unknown"]

        assert (303, 0) == (unknown.status, unknown.verified)
        assert "SELECT" not in " ".join(
            statement for statement in unknown.statements if "account" in statement.lower()
        )
        assert [] == [name for name, one in seen.items() if one != unknown]

    def test_throttled_by_address(self, site: Site) -> None:
        """The surplus for one address is dropped, and nobody sees that."""
        browser = site.browser()
        seen = [watched(site, browser, "/forgot", email="anna@example.be") for _ in range(5)]
        unknown = [watched(site, browser, "/forgot", email="nobody@example.be") for _ in range(5)]

        assert {seen[0].outside[0]} == {one.status for one in seen}
        assert [seen[0].outside] * 10 == [one.outside for one in (*seen, *unknown)]
        assert seen == unknown
        assert 1 == len([row for row in site.outbox if row.intent.address == "anna@example.be"])

    def test_answer(self, site: Site) -> None:
        """The page that follows is the same, too."""
        pages = []
        for email in RESETS.values():
            browser = site.browser()
            location = browser.post("/forgot", email=email).headers["Location"]
            pages.append(masked(browser.get(location)))

        assert [pages[0]] * len(pages) == pages

    def test_only_the_form_is_checked(self, site: Site) -> None:
        """Only a text that is no address at all is told."""
        assert 422 == site.browser().post("/forgot", email="anna").status_code


class TestToken:
    def test_equal(self, site: Site) -> None:
        """Without a valid check there is one answer, and storage is not asked."""
        site.forget()
        good = site.invited("p2")
        wrong = [
            "0" * 32,
            "A" * 32,
            good[:-1],
            good[:-1] + ("0" if good[-1] != "0" else "1"),
            "x",
            "é",
        ]
        seen = [watched(site, site.browser(), "/token", token=token) for token in wrong]
        bodies = {re.sub(r'value="[^"]*"', "value", one.body) for one in seen}

        assert [422] * len(seen) == [one.status for one in seen]
        assert 1 == len(bodies)
        assert 1 == len({one.statements for one in seen})
