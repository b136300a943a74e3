"""Floods: of reset requests, of wrong passwords, of sign-ins that take memory."""

import os
import subprocess
import sys

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from flask import request

from parentauth.flask._state import page_request, state_of
from parentauth.pages import PageRequest, Pages, Redirect
from parentauth.throttles import MemoryThrottle
from tests.flask_app import DEVICE, Browser, Site, masked
from tests.school import HOUR, MINUTE, OTHER_PASSWORD, PASSWORD, SECOND

QUARTER = 15 * MINUTE


@pytest.fixture
def site() -> Site:
    """Give a portal."""
    return Site()


class TestResets:
    def test_ten_thousand(self, site: Site) -> None:
        """Of 10,000 requests for one parent in an hour, at most three mails leave, and the answers are one."""
        first_link = site.invited("p2")
        mails = len(site.mailer.sent)
        # The page flow itself: over HTTP, with its CSRF tokens, this takes ten times as long.
        pages, answers = Pages(site.auth), set()
        with site.app.test_request_context():
            links = page_request(request, state_of()).links
        for number in range(10_000):
            with site.app.test_request_context():
                outcome = pages.respond(
                    "forgot",
                    PageRequest(
                        method="POST",
                        links=links,
                        form={"email": ["bert@example.be"]},
                        address=f"2001:db8:{number:x}::1",
                    ),
                )
            assert isinstance(outcome, Redirect)
            answers.add((outcome.location, outcome.flash, outcome.cookies, str(outcome.headers)))
            if number % 250 == 0:
                site.deliver(after=80 * SECOND)
        assert site.clock() < site.account("p2").invited_at + HOUR
        site.deliver(after=20 * SECOND)
        browser = site.browser()

        assert 1 == len(answers)
        assert 1 <= len(site.mailer.sent) - mails <= 3
        assert 200 == browser.post("/token", token=first_link).status_code
        assert (
            303
            == browser.post(
                "/password", token=first_link, new_password=PASSWORD, confirmation=PASSWORD
            ).status_code
        )

    def test_over_http(self, site: Site) -> None:
        """The same over HTTP for five hundred, from as many places."""
        browser = site.browser()
        assert browser.csrf
        seen = set()
        for number in range(500):
            browser.address = f"198.51.{number // 250}.{number % 250}"
            status, headers, body = masked(browser.post("/forgot", email="bert@example.be"))
            seen.add((status, str(headers), body))
            if number % 50 == 0:
                site.deliver(after=10 * SECOND)

        assert 1 == len(seen)
        assert 1 <= len(site.mailer.sent) <= 3

    def test_password_lives(self, site: Site) -> None:
        """Reset requests by a stranger leave password and sessions alone."""
        browser = site.signed_in("p1")
        for _ in range(20):
            site.browser().post("/forgot", email="anna@example.be")
        site.deliver(after=MINUTE)

        assert browser.is_signed_in
        assert 303 == site.browser().sign_in("anna").status_code

    def test_ten_a_day(self, site: Site) -> None:
        """In a day at most ten mails leave for one address."""
        for _ in range(20):
            for _ in range(5):
                site.browser().post("/forgot", email="bert@example.be")
                site.deliver(after=MINUTE)
            site.clock.advance(HOUR)

        assert 10 == len(site.mailer.sent)


def at_once(site: Site, count: int, username: str, password: str) -> list[int]:
    """Sign in from many browsers at the same moment; return the statuses."""
    browsers = [site.browser(address=f"198.51.100.{number % 250}") for number in range(count)]
    for browser in browsers:
        assert browser.csrf
    barrier = Barrier(count)

    def attempt(browser: Browser) -> int:
        barrier.wait(timeout=30)
        return browser.sign_in(username, password).status_code

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(attempt, browsers))


class TestPasswords:
    @pytest.mark.parametrize("username", ["anna", "nobody"])
    def test_two_hundred_at_once(self, site: Site, username: str) -> None:
        """Of 200 wrong passwords at once on one username, known or not, exactly ten are verified."""
        site.connected("p1")
        statuses = at_once(site, 200, username, OTHER_PASSWORD)

        assert 10 == site.hasher.verified
        assert 10 == statuses.count(422)
        assert {422, 429, 503} >= set(statuses)

    def test_ten_windows(self, site: Site) -> None:
        """Over ten windows exactly a hundred; then only a known device or a mail opens it again."""
        home = site.signed_in("p1")
        device = home.cookie(DEVICE)
        for username in ("anna", "nobody"):
            site.hasher.reset()
            for _ in range(10):
                statuses = at_once(site, 40, username, OTHER_PASSWORD)
                assert 10 == statuses.count(422)
                site.clock.advance(QUARTER + SECOND)
            assert 100 == site.hasher.verified
        site.hasher.reset()
        stranger, other = (site.browser(address="203.0.113.7") for _ in range(2))
        right = masked(stranger.sign_in("anna", PASSWORD), "anna")
        unknown = masked(other.sign_in("nobody", PASSWORD), "nobody")

        assert 429 == right[0]
        assert right == unknown
        assert 0 == site.hasher.verified
        assert "Retry-After" not in str(right[1])

        remembered = site.browser(address="203.0.113.8")
        remembered.give(DEVICE, device or "")
        assert 303 == remembered.sign_in("anna", PASSWORD).status_code
        assert 429 == stranger.sign_in("anna", PASSWORD).status_code

        stranger.post("/forgot", email="anna@example.be")
        site.deliver(after=MINUTE)
        stranger.post(
            "/password",
            token=site.mailer.tokens[-1],
            new_password=OTHER_PASSWORD,
            confirmation=OTHER_PASSWORD,
        )
        stranger.post("/logout")
        fresh = site.browser(address="203.0.113.9")
        assert 303 == fresh.sign_in("anna", OTHER_PASSWORD).status_code

    def test_success_between(self, site: Site) -> None:
        """Signing in as oneself between guesses gives no more guesses at another's password."""
        site.connected("p1")
        site.connected("p2")
        browser = site.browser()
        refused = 0
        for _ in range(15):
            refused += browser.sign_in("anna", "wrong").status_code == 429
            browser.sign_in("bert")

        assert 5 == refused

    def test_rotating_forwarded_for(self, site: Site) -> None:
        """Who writes another ``X-Forwarded-For`` each time is still one client."""
        browser = site.browser()
        statuses = [
            browser.send(
                "/login",
                {"csrf_token": browser.csrf, "username": f"u{number}", "password": "x"},
                headers={"X-Forwarded-For": f"198.51.100.{number}"},
            ).status_code
            for number in range(102)
        ]

        assert [422] * 100 + [429] * 2 == statuses

    def test_one_network(self, site: Site) -> None:
        """All addresses of one IPv6 /64 are one client."""
        statuses = [
            site.browser(address=f"2001:db8::{number:x}").sign_in(f"u{number}", "x").status_code
            for number in range(101)
        ]

        assert [422] * 100 + [429] == statuses

    def test_exempt_network(self) -> None:
        """At a parents' evening the school's own network is not counted together."""
        site = Site(config={"PARENTAUTH_EXEMPT_NETWORKS": ["192.0.2.0/24"]})
        site.connected("p1")
        for number in range(101):
            site.browser().sign_in(f"u{number}", "x")

        assert 303 == site.browser().sign_in("anna").status_code

    def test_bad_tokens(self, site: Site) -> None:
        """The hundred-and-first bad token is refused, whatever it is."""
        token, browser = site.invited("p1"), site.browser()
        statuses = [
            browser.post("/token", token=f"{number:032}").status_code for number in range(100)
        ]
        refused = browser.post("/token", token=token)

        assert [422] * 100 == statuses
        assert (429, "900") == (refused.status_code, refused.headers["Retry-After"])
        site.clock.advance(QUARTER + timedelta(seconds=1))
        assert 200 == browser.post("/token", token=token).status_code


FLOOD = """
import os, threading
from parentauth import Argon2Hasher
from tests.flask_app import Site
from tests.school import PASSWORD

class Hasher(Argon2Hasher):
    hashed = verified = 0
    def reset(self): pass

def memory(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name))

cores = os.cpu_count() or 1
site = Site(hasher=Hasher(), config={"PARENTAUTH_HASHES_AT_ONCE": cores})
browsers = [site.browser(address=f"198.51.100.{n}") for n in range(64)]
for browser in browsers:
    browser.csrf
idle = memory("VmRSS")
barrier = threading.Barrier(64)
statuses = [None] * 64
waits = [None] * 64

def attempt(number):
    barrier.wait()
    response = browsers[number].sign_in(f"user{number}", PASSWORD)
    statuses[number], waits[number] = response.status_code, response.headers.get("Retry-After")

threads = [threading.Thread(target=attempt, args=(number,)) for number in range(64)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert {422, 503} >= set(statuses), statuses
assert statuses.count(422) >= cores
assert all(wait for status, wait in zip(statuses, waits) if status == 503)
print(cores, idle, memory("VmHWM"), statuses.count(422), statuses.count(503))
"""


class TestMemory:
    def test_flood(self) -> None:
        """64 sign-ins at once take the memory of one hash per core; the surplus waits or comes back."""
        done = subprocess.run(
            [sys.executable, "-c", FLOOD],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(["src", "."])},
            timeout=60,
        )
        cores, idle, peak, answered, asked_back = map(int, done.stdout.split())

        assert peak - idle <= cores * 64 * 1024 + 64 * 1024
        assert 64 == answered + asked_back


class TestCost:
    def test_no_hash_without_token(self, site: Site) -> None:
        """Nobody makes the portal hash a password without a live token, a session or a form of ours."""
        dead = site.invited("p2")
        site.auth.revoke_tokens("p2")
        live, browser = site.invited("p1"), site.browser()
        new = {"new_password": PASSWORD, "confirmation": PASSWORD}
        for token in ("", "x", "0" * 32, dead):
            browser.post("/password", token=token, **new)
        browser.post("/password", token=live, new_password="short", confirmation="short")
        browser.send("/password", {"token": live, **new})
        browser.post("/password/change", current_password=PASSWORD, **new)
        browser.send("/login", {"username": "anna", "password": PASSWORD})

        assert (0, 0) == (site.hasher.hashed, site.hasher.verified)
        assert 303 == browser.post("/password", token=live, **new).status_code
        assert (1, 0) == (site.hasher.hashed, site.hasher.verified)

    def test_throttled_first(self, site: Site) -> None:
        """Over the limit nothing is verified any more."""
        browser = site.browser()
        for _ in range(15):
            browser.sign_in("anna", "wrong")

        assert 10 == site.hasher.verified


class TestGrowth:
    def test_throttle_keys(self) -> None:
        """Made-up usernames by the thousand do not fill the memory of the counters."""
        throttle = MemoryThrottle(max_keys=200)
        site = Site(throttle=throttle)
        for number in range(300):
            site.browser(address=f"2001:db8:{number:x}::1").sign_in(f"u{number}", "x")

        assert 200 >= len(throttle._windows)
