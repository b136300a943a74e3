import base64
import logging
import traceback

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from flask import Flask

from parentauth import Event, EventKind, Family
from parentauth.flask import auth_of, signal_of
from parentauth.storage.sqlalchemy import SQLAlchemyThrottle
from tests.doubles import raising
from tests.flask_app import DEVICE, SESSION, Browser, Site, dump, sqlite_storage
from tests.school import BASE_URL, DAY, MINUTE, OTHER_PASSWORD, PASSWORD

WRONG = "hypothèse baleine 1789"
MISTYPED = "my-secret-typed-as-username"
THIRD_PASSWORD = "lanterne cascade oiseau"


class Signals:
    """Receives every signal, and what was kept at that moment."""

    def __init__(self) -> None:
        self.received: list[tuple[Flask, Event]] = []
        self.look: Any = lambda event: None
        self.looks: list[Any] = []

    def __call__(self, sender: Flask, *, event: Event) -> None:
        """Note a signal."""
        self.received.append((sender, event))
        self.looks.append(self.look(event))

    def take(self) -> list[str]:
        """Return the kinds received since the last time."""
        kinds = [event.kind.value for _, event in self.received]
        self.received.clear()
        return kinds


@pytest.fixture
def signals() -> Iterator[Signals]:
    """Give a receiver of every kind of signal."""
    receiver = Signals()
    with ExitStack() as stack:
        for kind in EventKind:
            stack.enter_context(signal_of(kind).connected_to(receiver))
        yield receiver


@pytest.fixture
def site() -> Site:
    """Give a portal."""
    return Site()


class TestEach:
    def test_first_visit(self, site: Site, signals: Signals) -> None:
        """Invitation, token, password: each is told, in order, with the application as sender."""
        signals.take()
        token = site.invited("p1")
        assert ["token_issued", "mail_sent"] == signals.take()
        browser = site.browser()
        browser.get(f"/token/{token}")
        browser.post("/token", token=token)
        assert [] == signals.take()
        browser.post("/password", token=token, new_password="short", confirmation="other")
        assert ["password_refused"] == signals.take()
        browser.post("/password", token=token, new_password=PASSWORD, confirmation=PASSWORD)
        [(sender, event), *_] = signals.received
        assert (site.app, "p1", "192.0.2.7", site.clock()) == (
            sender,
            event.account_id,
            event.prefix,
            event.at,
        )
        assert [
            "token_redeemed",
            "password_changed",
            "sessions_ended",
            "signed_in",
        ] == signals.take()
        browser.post("/password", token=token, new_password=PASSWORD, confirmation=PASSWORD)
        assert [("token_refused", "used")] == [
            (event.kind.value, event.reason) for _, event in signals.received
        ]

    def test_signing_in(self, site: Site, signals: Signals) -> None:
        """Sign-in, refusal, limit, sign-out."""
        site.connected("p1")
        signals.take()
        browser = site.browser()
        browser.sign_in("anna")
        assert ["signed_in"] == signals.take()
        browser.post("/logout")
        assert ["signed_out"] == signals.take()
        for _ in range(10):
            browser.sign_in("bert", "wrong")
        assert ["sign_in_refused"] * 10 == signals.take()
        browser.sign_in("bert", "wrong")
        assert ["throttled"] == signals.take()

    def test_refused_sign_in_names_nobody(self, site: Site, signals: Signals) -> None:
        """A failed sign-in does not say whose it was: the username may be a password."""
        site.connected("p1")
        signals.take()
        site.browser().sign_in("anna", "wrong")
        [(_, event)] = signals.received

        assert (None, "192.0.2.7") == (event.account_id, event.prefix)

    def test_forms(self, site: Site, signals: Signals) -> None:
        """Refused forms and bad input."""
        browser = site.browser()
        assert browser.csrf
        signals.take()
        browser.send("/forgot", {"email": "anna@example.be"})
        assert ["csrf_refused"] == signals.take()
        browser.post("/forgot", email="a\0b")
        assert ["bad_input"] == signals.take()
        browser.post("/forgot", email="anna@example.be")
        browser.post("/forgot", email="nobody@example.be")
        assert ["reset_requested"] * 2 == signals.take()
        site.deliver(after=MINUTE)
        # Never connected: the first-connection mail; nobody: dropped.
        assert {"token_issued", "mail_sent", "mail_dropped"} == set(signals.take())

    def test_children(self, site: Site, signals: Signals) -> None:
        """The choice of a child, and of one that is not the parent's."""
        browser = site.signed_in("p2")
        signals.take()
        browser.post("/children", child="c2")
        browser.post("/children", child="c1")
        assert ["child_selected", "child_refused"] == signals.take()

    def test_password_change(self, site: Site, signals: Signals) -> None:
        """The change of a password, and a wrong current one."""
        browser = site.signed_in("p1")
        signals.take()
        form = {"new_password": OTHER_PASSWORD, "confirmation": OTHER_PASSWORD}
        browser.post("/password/change", current_password="wrong", **form)
        browser.post("/password/change", current_password=PASSWORD, **form)
        assert ["password_refused", "password_changed", "sessions_ended"] == signals.take()

    def test_school(self, site: Site, signals: Signals) -> None:
        """The school's acts."""
        site.signed_in("p1")
        signals.take()
        auth = auth_of(site.app)
        auth.save([Family("p9", "new", "New")])
        auth.change_address("p1", "anna@new.example.be")
        auth.revoke_tokens("p1")
        auth.set_active("p1", active=False)
        auth.set_active("p1", active=True)
        auth.end_sessions("p1")
        auth.erase("p1")
        kinds = signals.take()

        assert ["family_saved", "address_changed", "account_closed", "account_opened"] == [
            kind
            for kind in kinds
            if kind not in {"tokens_revoked", "sessions_ended", "account_erased"}
        ]
        assert "account_erased" == kinds[-1]

    def test_mail(self, site: Site, signals: Signals) -> None:
        """What becomes of a mail."""
        from parentauth.exceptions import MailDelayedError, MailRefusedError

        signals.take()
        site.mailer.fail_send = raising(MailDelayedError("later"), MailRefusedError("never"))
        site.auth.invite("p1")
        site.deliver()
        site.deliver(after=2 * MINUTE)
        kinds = signals.take()

        assert ["mail_delayed", "mail_dead"] == [kind for kind in kinds if kind.startswith("mail")]

    def test_after_the_write(self, site: Site, signals: Signals) -> None:
        """What a signal tells was written before."""
        site.connected("p1")
        signals.received.clear()
        signals.looks.clear()
        signals.look = lambda event: (event.kind.value, len(site.account("p1").sessions))
        browser = site.browser()
        browser.sign_in("anna")
        browser.post("/logout")

        assert [("signed_in", 2), ("signed_out", 1)] == signals.looks

    def test_receiver_that_fails(self, site: Site, caplog: pytest.LogCaptureFixture) -> None:
        """A receiver's own error stops nothing."""

        def fail(sender: Flask, *, event: Event) -> None:
            raise RuntimeError("a host's bug")

        site.connected("p1")
        with signal_of(EventKind.SIGNED_IN).connected_to(fail):
            assert 303 == site.browser().sign_in("anna").status_code
        assert "a listener failed on signed_in" in caplog.text


def forms_of_secret(secret: str) -> set[str]:
    """Return how a secret might be written somewhere."""
    spellings = {secret, secret.lower(), secret.upper(), secret.replace("-", "")}
    spellings |= {spelling.lower() for spelling in spellings}
    written = set(spellings)
    for spelling in spellings:
        data = spelling.encode()
        written |= {
            data.hex(),
            base64.b64encode(data).decode().rstrip("="),
            base64.urlsafe_b64encode(data).decode().rstrip("="),
            quote(spelling, safe=""),
            repr(data)[2:-1],
        }
    bare = secret.replace("-", "")
    if len(bare) == 32 and bare.isalnum():
        written.add("-".join(bare[start : start + 4] for start in range(0, 32, 4)))
    return written


class Canaries:
    """Everything secret that a journey met, and everything that was written meanwhile."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()
        self.written: list[str] = []

    def add(self, *secrets: str | None) -> None:
        """Remember secrets."""
        self.secrets |= {secret for secret in secrets if secret}

    def found(self) -> list[str]:
        """Return which secrets were written, and in which form."""
        text = "\n".join(self.written)
        return [
            f"{secret} as {form} near {text[max(0, text.index(form) - 80) :][:200]!r}"
            for secret in self.secrets
            for form in forms_of_secret(secret)
            if form in text
        ]


def cookies_of(browser: Browser) -> tuple[str | None, ...]:
    """Return the secret cookies of a browser."""
    return browser.cookie(SESSION), browser.cookie(DEVICE)


def journey(site: Site, canaries: Canaries) -> None:
    """Do all that parents, strangers and the school do, right and wrong."""
    canaries.add(PASSWORD, OTHER_PASSWORD, WRONG, MISTYPED, THIRD_PASSWORD)
    canaries.add("anna@example.be", "Anna@example.be", "typed@example.be", "wouters@example.be")
    token, anna = site.invited("p1"), site.browser()
    anna.open(f"/token/{token}", "HEAD")
    anna.get(f"/token/{token}")
    anna.send(f"/token/{token}", {"x": "y"})
    anna.open(f"/token/{token}", "PUT")
    anna.post("/token", token=f"{BASE_URL}/token/{token}.")
    anna.post("/password", token=token, new_password=WRONG, confirmation=OTHER_PASSWORD)
    anna.post("/password", token=token, new_password=PASSWORD, confirmation=PASSWORD)
    canaries.add(token, *cookies_of(anna))
    anna.get(f"/token/{token}")
    anna.post("/token", token=token)
    stranger = site.browser(address="198.51.100.1")
    stranger.sign_in("anna", WRONG)
    stranger.sign_in(MISTYPED, WRONG)
    stranger.sign_in(MISTYPED + "\0", WRONG)
    stranger.send("/login", {"username": MISTYPED, "password": WRONG})
    stranger.send("/login", {"username": [MISTYPED, "x"], "password": WRONG})
    for _ in range(12):
        stranger.sign_in(MISTYPED, WRONG)
    stranger.sign_in("anna", PASSWORD)
    canaries.add(*cookies_of(stranger))
    for email in ("anna@example.be", "typed@example.be", "wouters@example.be", "wouters@example"):
        stranger.post("/forgot", email=email)
    site.deliver(after=MINUTE)
    tokens = site.mailer.tokens
    canaries.add(*tokens)
    anna.get(f"/token/{tokens[-1]}")
    anna.post("/token", token=tokens[-1])
    anna.post(
        "/password/change",
        current_password=PASSWORD,
        new_password=OTHER_PASSWORD,
        confirmation=OTHER_PASSWORD,
    )
    anna.post("/password/change", current_password=WRONG, new_password="x", confirmation="y")
    canaries.add(*cookies_of(anna))
    anna.post("/children", child="c9")
    site.auth.change_address("p1", "anna@new.example.be")
    site.deliver(after=MINUTE)
    anna.post("/logout")


class Capture(logging.Handler):
    """Keeps every record, with its trace and what was put into it."""

    def __init__(self, canaries: Canaries) -> None:
        super().__init__(logging.DEBUG)
        self._canaries = canaries
        self.setFormatter(logging.Formatter("%(name)s %(pathname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        extra = {name: value for name, value in vars(record).items() if name not in {"msg", "args"}}
        self._canaries.written += [self.format(record), repr(record.args), repr(extra)]
        error = record.exc_info[1] if record.exc_info else None
        while error is not None:
            self._canaries.written += [repr(error), *traceback.format_exception(error)]
            error = error.__cause__ or error.__context__


@pytest.fixture
def canaries() -> Iterator[Canaries]:
    """Give canaries that hear every log record, of every library, from DEBUG on."""
    canaries, root = Canaries(), logging.getLogger()
    handler = Capture(canaries)
    levels = {
        "": logging.DEBUG,
        # With its statements; at DEBUG it writes whole rows, which is the host's to want.
        "sqlalchemy.engine": logging.INFO,
        "sqlalchemy.pool": logging.DEBUG,
    }
    before = {name: logging.getLogger(name).level for name in levels}
    root.addHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    yield canaries
    root.removeHandler(handler)
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


class TestCanaries:
    def test_journey(self, tmp_path: Path, canaries: Canaries, signals: Signals) -> None:
        """No secret, whole address or mistyped username is in any log, event, error or table."""
        storage = sqlite_storage(tmp_path)
        site = Site(storage=storage, throttle=SQLAlchemyThrottle(storage.engine))
        signals.received.clear()
        journey(site, canaries)
        told = [event for _, event in signals.received]
        canaries.written += [repr(event) for event in told]
        assert 20 < len(told)
        assert 100 < len(canaries.written)

        assert [] == canaries.found()

        # The tables keep addresses, and nothing else of these.
        canaries.written = [repr(dump(storage.engine))]
        canaries.secrets = {secret for secret in canaries.secrets if "@" not in secret}
        assert [] == canaries.found()
        storage.engine.dispose()

    @pytest.mark.parametrize("method", ["account", "replace", "enqueue"])
    def test_broken_storage(self, canaries: Canaries, method: str) -> None:
        """Not even where the storage breaks on each of these requests does a log show them."""
        site = Site()
        site.connected("p1")
        browser, token = site.signed_in("p2"), site.invited("p3")
        stranger = site.browser()
        assert stranger.csrf
        assert browser.csrf
        canaries.add(PASSWORD, OTHER_PASSWORD, MISTYPED, token, "anna@example.be")
        canaries.add(*cookies_of(browser))
        canaries.written.clear()

        def fail(*_: object, **__: object) -> None:
            raise OSError("no disk")

        setattr(site.storage, method, fail)
        statuses = {
            response.status_code
            for visitor in (browser, stranger)
            for response in (
                visitor.get(f"/token/{token}"),
                visitor.open(f"/token/{token}", "HEAD"),
                visitor.send(f"/token/{token}", {}),
                visitor.post("/token", token=token),
                visitor.post(
                    "/password", token=token, new_password=PASSWORD, confirmation=PASSWORD
                ),
                visitor.sign_in("anna"),
                visitor.sign_in(MISTYPED),
                visitor.post("/forgot", email="anna@example.be"),
                visitor.post(
                    "/password/change",
                    current_password=PASSWORD,
                    new_password=OTHER_PASSWORD,
                    confirmation=OTHER_PASSWORD,
                ),
                visitor.post("/logout"),
            )
        }

        assert 500 in statuses
        assert "no disk" in "\n".join(canaries.written)
        assert [] == canaries.found()

    def test_one_line(self, site: Site, canaries: Canaries) -> None:
        """Whatever is typed, one event is one line."""
        canaries.written.clear()
        browser = site.browser()
        for text in ("a\r\nINFO ok", "a\x1b[31m", "\u2028x", "%s%s", "{0}"):
            browser.sign_in(text, text)
            browser.post("/token", token=text)
            browser.post("/forgot", email=text)
        lines = [line for line in canaries.written if line.startswith("parentauth ")]

        assert lines
        assert not [line for line in lines if len(line.splitlines()) != 1 or "\x1b" in line]


def test_days_pass_quietly(site: Site, signals: Signals) -> None:
    """Time alone tells nothing: expiry is computed, not announced."""
    site.invited("p1")
    signals.take()
    site.clock.advance(20 * DAY)
    site.deliver()

    assert [] == signals.take()
