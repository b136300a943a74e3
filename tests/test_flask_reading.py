import re

from pathlib import Path

import pytest

from parentauth import EventKind
from parentauth.storage.sqlalchemy import SQLAlchemyThrottle
from tests.flask_app import Browser, Site, dump, forms_of, sqlite_storage
from tests.school import DAY, MINUTE, PASSWORD


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Give a portal in a SQLite file, its counters, too."""
    storage = sqlite_storage(tmp_path)
    yield Site(storage=storage, throttle=SQLAlchemyThrottle(storage.engine))
    storage.engine.dispose()


def addresses(token: str) -> list[str]:
    """Return every address that there is, and some that there are not."""
    return [
        "/login",
        "/login?next=/mine",
        "/login?next=//evil.example&notice=signed-out",
        "/login?username=anna&password=x",
        "/token",
        f"/token?token={token}",
        f"/token/{token}",
        f"/token/{token.replace('-', '').lower()}",
        f"/token/{token}?switch=1",
        f"/token/{token}x",
        "/token/%00",
        "/token/%ff",
        f"/token/{'a' * 5000}",
        "/password",
        f"/password?token={token}&new_password={PASSWORD}&confirmation={PASSWORD}",
        "/password/change",
        "/forgot",
        "/forgot?email=anna@example.be",
        "/forgot?notice=sent",
        "/forgot?notice=sent&notice=sent",
        "/children",
        "/children?child=c3",
        "/logout",
        "/logout?lang=nl",
        "/.well-known/change-password",
        "/parentauth/parentauth.css",
    ]


class TestNothingChanges:
    @pytest.mark.parametrize("who", ["anonymous", "p1", "p2"])
    def test_get_and_head(self, site: Site, who: str) -> None:
        """GET, HEAD and OPTIONS change no row of any table, a valid token's included."""
        token = site.invited("p1") if who != "p1" else ""
        browser = site.browser() if who == "anonymous" else site.signed_in(who)
        token = token or site.reset("anna@example.be")[0]
        before, mails = dump(site.storage.engine), len(site.mailer.sent)
        statuses = [
            browser.open(path, method).status_code
            for _ in range(3)
            for path in addresses(token)
            for method in ("GET", "HEAD", "OPTIONS")
        ]

        assert 200 < len(statuses)
        assert {200, 303, 400, 405} >= set(statuses)
        assert before == dump(site.storage.engine)
        assert mails == len(site.mailer.sent)

    def test_last_seen_alone(self, site: Site) -> None:
        """A signed-in session's "last seen" is all that a look may change, every five minutes."""
        browser = site.signed_in("p1")
        before = site.account("p1")
        site.clock.advance(6 * MINUTE)
        for path in addresses("x"):
            browser.get(path)
        after = site.account("p1")
        tables = {table for table, rows in dump(site.storage.engine).items() if rows}

        assert (before.version + 1, site.clock()) == (after.version, after.sessions[0].last_seen_at)
        assert before.tokens == after.tokens
        assert not [table for table in tables if "throttle" in table]

    def test_many_strangers(self, site: Site) -> None:
        """Requests of people who are not signed in leave nothing behind."""
        before = dump(site.storage.engine)
        for number in range(300):
            site.browser(address=f"198.51.100.{number % 250}").get("/login")

        assert before == dump(site.storage.engine)


def scan(browser: Browser, link: str) -> None:
    """Do what mail scanners do: look, look again, follow links, press the button."""
    browser.open(link, "HEAD")
    for _ in range(3):
        page = browser.get(link)
    for address in set(re.findall(r'(?:href|src)="(/[^"]*)"', page.text)):
        browser.get(address)
    form = forms_of(page)[1]
    answer = browser.send(form.action, form.fields)
    assert 200 == answer.status_code
    following = forms_of(answer)[1]
    browser.get(following.action)
    # Some press every button, and send the form as it is: without a password.
    refused = browser.send(following.action, following.fields)
    assert 422 == refused.status_code
    assert not browser.is_signed_in


class TestScanners:
    def test_twenty(self, site: Site) -> None:
        """After twenty scanners, some days early, the parent's link works; nothing was noted."""
        token = site.invited("p1")
        link = f"/token/{token}"
        account = site.account("p1")
        site.forget()
        for number in range(20):
            scan(site.browser(address=f"198.51.100.{number}"), link)
        site.clock.advance(3 * DAY)
        scanned, told = site.account("p1"), set(site.told)
        parent = site.browser()
        page = parent.get(link)
        assert forms_of(page)[1].fields["token"] == token
        checked = parent.post("/token", token=token)
        arrived = parent.post(
            "/password", token=token, new_password=PASSWORD, confirmation=PASSWORD
        )

        assert account == scanned
        assert {EventKind.PASSWORD_REFUSED} >= told
        assert (200, 303) == (checked.status_code, arrived.status_code)
        assert parent.is_signed_in

    def test_status(self, site: Site) -> None:
        """Nothing says "opened": a scanned invitation is still waiting."""
        token = site.invited("p1")
        scan(site.browser(), f"/token/{token}")

        assert "waiting" == site.auth.status("p1").value
