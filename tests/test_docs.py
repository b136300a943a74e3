"""What the documentation and the README say is what the code does."""

import http.server
import inspect
import json
import logging
import logging.config
import re
import secrets
import shlex
import shutil
import subprocess
import sys
import threading

from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import partial
from http.client import HTTPConnection
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Final

import attrs
import click
import pytest

from argon2.profiles import RFC_9106_LOW_MEMORY
from flask import Flask, render_template_string
from flask_wtf.csrf import generate_csrf
from sybil.document import Document
from sybil.parsers.myst import PythonCodeBlockParser

from docs._ext import commands, public_names, token_states
from docs.howto.provider_mailer import ProviderMailer
from docs.howto.sqlite_storage import SQLiteStorage
from parentauth import ChildLink, EventKind, Family, PasswordPolicy, _tokens, exceptions
from parentauth import _addresses as addresses
from parentauth import _devices as devices
from parentauth import _families as families
from parentauth import _inputs as inputs
from parentauth import _passwords as passwords
from parentauth import _throttling as throttling
from parentauth import _worker as worker
from parentauth._blocklist import common_passwords
from parentauth._canonical import USERNAME_MAX
from parentauth._codec import KEY_BYTES_MIN, RANDOM_BYTES, TokenCodec
from parentauth._configuration import SHORTEST_TOKEN
from parentauth._families_csv import COLUMNS_MAX
from parentauth._next import NEXT_MAX
from parentauth._page_views import Views
from parentauth._parts import ATTEMPTS
from parentauth._sessions import ABSOLUTE_MAX, SEEN_EVERY, SESSIONS_KEPT, SessionRules
from parentauth._slots import Slots
from parentauth._texts import available, texts
from parentauth._upkeep import DEAD_LETTERS_KEPT
from parentauth.exceptions import (
    MailDelayedError,
    MailRefusedError,
    ParentAuthError,
    TokenRejectedError,
)
from parentauth.flask import ParentAuth, auth_of
from parentauth.flask._cli import group
from parentauth.flask._views import _FORM_MAX
from parentauth.mailers import ConsoleMailer, SMTPMailer
from parentauth.pages import HEADERS, STATIC, TEMPLATES, CookieNames, PageRequest
from parentauth.settings import PREFIX, Settings
from parentauth.storage._sqlalchemy_engines import BUSY_TIMEOUT, RETRY_SECONDS
from parentauth.storage.memory import MemoryStorage
from parentauth.testing import ProcessContract, StorageContract
from tests.portal import LINK, PASSWORD
from tests.test_mailers import MAIL

ROOT = Path(__file__).parents[1]
DOCS: Final = ROOT / "docs"
HOWTO: Final = DOCS / "howto"
SETTINGS = (ROOT / "docs/reference/settings.md").read_text()


def documented() -> dict[str, str]:
    """Return the default that the page names for each key; empty for those that are needed."""
    rows = re.findall(rf"^\| `{PREFIX}(\w+)` \|([^|\n]*)\|([^|\n]*)\|?$", SETTINGS, re.MULTILINE)
    return {name.lower(): default.strip() if rest.strip() else "" for name, default, rest in rows}


def in_words(value: object) -> str:
    """Return a default as the page writes it."""
    match value:
        case timedelta():
            return duration(value)
        case (timedelta() as shortest, timedelta() as longest):
            return f"{shortest.seconds} to {longest.seconds} seconds"
        case None | ():
            return "none"
        case str():
            return f"`{value}`" if value else "empty"
    return str(value)


def duration(value: timedelta) -> str:
    """Return a duration in the unit that the page uses for it."""
    hours = value / timedelta(hours=1)
    if hours > 24:
        return f"{value.days} days"
    return f"{hours:g} hours" if hours > 1 else f"{hours * 60:g} minutes"


class TestSettings:
    def test_complete(self) -> None:
        """The page names every setting, and no other."""
        assert {field.name for field in attrs.fields(Settings)} == set(documented())

    @pytest.mark.parametrize("field", attrs.fields(Settings), ids=lambda field: field.name)
    def test_default(self, field: attrs.Attribute) -> None:
        """The default that the page names is the code's."""
        told = documented()[field.name]
        if isinstance(field.default, attrs.Factory):  # a mapping, empty
            assert told == "empty"
        elif field.name in {"sender", "hashes_at_once", "no_child"}:
            assert field.default is None
        elif field.default is not attrs.NOTHING:
            assert in_words(field.default) == told


def snippet(name: str) -> str:
    """Return the README's code block behind ``<!-- name -->``."""
    text = (ROOT / "README.md").read_text()
    match = re.search(rf"<!-- {re.escape(name)} -->\n```python\n(.*?)```", text, re.DOTALL)
    assert match is not None
    return match[1]


def environment() -> dict[str, str]:
    """Return what the README exports, with a key made on the spot."""
    text = (ROOT / "README.md").read_text()
    found = dict(re.findall(r'^\$ export (\w+)="?([^"\n]+)"?$', text, re.MULTILINE))
    return {**found, "FLASK_SECRET_KEY": secrets.token_urlsafe(32)}


class TestReadme:
    def test_flask(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The twelve lines of Flask run, and lead who is not signed in to the sign-in page."""
        monkeypatch.chdir(tmp_path)
        for name, value in environment().items():
            monkeypatch.setenv(name, value)
        (tmp_path / "portal.py").write_text(snippet("portal.py"))
        spec = spec_from_file_location("portal", tmp_path / "portal.py")
        portal = module_from_spec(spec)
        spec.loader.exec_module(portal)
        app = portal.app
        runner = app.test_cli_runner()
        assert runner.invoke(args=["parentauth", "db", "upgrade"]).exit_code == 0
        response = app.test_client().get("/enfants/c1", base_url="https://portail.ecole.be")
        assert (303, "/login?next=/enfants/c1") == (response.status_code, response.location)

    def test_lines(self) -> None:
        """It is twelve lines long."""
        lines = [line for line in snippet("portal.py").splitlines() if line]
        assert len(lines) == 12

    def test_mailer(self) -> None:
        """The mailer of the README hands over the whole message, and delays what fails."""
        names: dict = {}
        exec(compile(snippet("mailer"), "mailer", "exec"), names)  # noqa: S102
        sent = []

        class Client:
            def send_raw(self, *, to: str, message: bytes) -> None:
                sent.append((to, message))

        class Broken:
            def send_raw(self, *, to: str, message: bytes) -> None:
                raise ConnectionResetError

        with names["ProviderMailer"](Client()).connect() as send:
            send(MAIL)
        assert [MAIL.to] == [to for to, _ in sent]
        assert b"Auto-Submitted: auto-generated" in sent[0][1]
        with names["ProviderMailer"](Broken()).connect() as send, pytest.raises(MailDelayedError):
            send(MAIL)


# What pages are made of --------------------------------------------------------------------------


def page(name: str) -> str:
    """Return the text of a page."""
    return (DOCS / name).read_text("utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Return the code blocks in one language."""
    return re.findall(rf"^```{re.escape(language)}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table's rows, heads left out."""
    tables = re.findall(r"^\| -.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    lines = [line for table in tables for line in table.splitlines()]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def section(text: str, title: str) -> str:
    """Return what stands below one heading, up to the next one of any level."""
    return re.split(r"^#+ ", text.partition(f"# {title}\n")[2], flags=re.MULTILINE)[0]


def first_column(text: str) -> list[str]:
    """Return the words in code of each row's first cell."""
    return [word for row in rows(text) for word in re.findall(r"`([^`]+)`", row[0])]


# What else a page's snippets are given; they run in the order of the page, in one namespace.
GIVEN: Final[Mapping[str, Mapping[str, Any]]] = {
    "howto/flask.md": {"key": secrets.token_urlsafe(32)},
    "howto/theme.md": {"app": Flask("themed")},
    "howto/deploy.md": {"app": Flask("deployed"), "new_key": "new", "old_key": "old"},
}


def run(name: str) -> dict[str, Any]:
    """Run a page's Python and return what it defined."""
    document = Document.parse(str(DOCS / name), PythonCodeBlockParser())
    document.namespace.update(GIVEN.get(name, {}))
    for example in document.examples():
        example.evaluate()
    return document.namespace


PAGES: Final = sorted(
    str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md") if "_build" not in path.parts
)


class TestPages:
    @pytest.mark.parametrize("name", [name for name in PAGES if blocks(page(name), "python")])
    def test_python(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every Python snippet of every page runs."""
        monkeypatch.syspath_prepend(str(HOWTO))
        assert run(name)

    @pytest.mark.parametrize("name", PAGES)
    def test_commands(self, name: str) -> None:
        """Every command of ours that a page shows exists, and has these options."""
        for line in re.findall(r"flask (?:--app \w+ )?(parentauth .*?)(?:`|\n|$)", page(name)):
            if "--help" not in line:
                parse(line)

    @pytest.mark.parametrize("name", PAGES)
    def test_sentences(self, name: str) -> None:
        """Each line of prose holds one sentence."""
        prose = re.sub(r"^```.*?^```$", "", page(name), flags=re.MULTILINE | re.DOTALL)
        lines = [re.sub(r"^\d+\. ", "", line) for line in prose.splitlines() if line[:1] != "|"]
        assert [] == [line for line in lines if re.search(r"[.?!] [A-Z]", line)]

    def test_languages(self) -> None:
        """The first page names every language that there is."""
        english = {"fr": "French", "nl": "Dutch", "de": "German", "en": "English"}
        (sentence,) = re.findall("speak (.*)", page("index.md"))

        assert {english[code] for code in available()} == set(re.findall("[A-Z]\\w+", sentence))

    def test_settings(self) -> None:
        """Every setting that a page names exists."""
        known = {f"{PREFIX}{field.name}".upper() for field in attrs.fields(Settings)}
        named = {
            word for name in PAGES for word in re.findall(rf"\b{PREFIX}[A-Z_]+[A-Z]\b", page(name))
        }
        # The testing kit reads this one from the environment.
        assert named - {"PARENTAUTH_TEST_ROUNDS"} <= known


def parse(line: str) -> None:
    """Let click read a command line, and do nothing."""
    words = shlex.split(line.partition(" > ")[0])
    name, command = words.pop(0), group
    while isinstance(command, click.Group):
        name = words.pop(0)
        command = command.commands[name]
    command.make_context(name, words)


# Look up -----------------------------------------------------------------------------------------


def documented_objects() -> list[Any]:
    """Return all that the API pages describe."""
    found = []
    for name in PAGES:
        module = ""
        for kind, argument in re.findall(r"^\.\. ([\w:]+):: ([\w.]+)$", page(name), re.MULTILINE):
            if kind == "currentmodule":
                module = argument
            elif kind == "automodule":
                members = import_module(argument)
                found += [getattr(members, each) for each in public_names.public_names(members)]
            elif kind.startswith(("auto", "py:")):
                found.append(getattr(import_module(module), argument))
    return found


class TestAPI:
    @pytest.mark.parametrize("name", public_names.MODULES)
    def test_complete(self, name: str) -> None:
        """Whatever a public module offers is described."""
        module, described = import_module(name), documented_objects()
        missing = [
            each
            for each in public_names.public_names(module)
            if not any(getattr(module, each) is one for one in described)
        ]

        assert [] == missing

    def test_docstrings(self) -> None:
        """Whatever is described says what it is."""
        assert [] == [
            each
            for each in documented_objects()
            if (inspect.isclass(each) or inspect.isfunction(each)) and not inspect.getdoc(each)
        ]


class TestEvents:
    def test_complete(self) -> None:
        """The page tells of every kind of event, and of no other."""
        told = first_column(page("reference/events.md"))
        assert sorted(kind.value for kind in EventKind) == sorted(told)

    def test_dropped(self) -> None:
        """Every reason for which a mail is dropped is told."""
        (row,) = [row for row in rows(page("reference/events.md")) if "`mail_dropped`" in row]
        source = inspect.getsource(import_module("parentauth._drafts"))
        reasons = re.findall(r"""(?:Dropped\(claim, |return |else )"(\w+)\"""", source)

        assert sorted(set(reasons)) == sorted(re.findall(r"`(\w+)`", row[2]))

    def test_token_refused(self) -> None:
        """Every reason for which a token is refused is told."""
        (row,) = [row for row in rows(page("reference/events.md")) if "`token_refused`" in row]
        assert set(TokenRejectedError.REASONS) == set(re.findall(r"`(\w+)`", row[2]))


class TestErrors:
    ROWS: Final = rows(page("reference/errors.md"))
    CLASSES: Final[Mapping[str, type[ParentAuthError]]] = {
        name: value
        for name, value in vars(exceptions).items()
        if isinstance(value, type) and issubclass(value, ParentAuthError)
    }

    def test_complete(self) -> None:
        """The page tells of every error, and of no other."""
        told = re.findall(r"`(\w+)`", " ".join(row[0] for row in self.ROWS))
        assert sorted(self.CLASSES) == sorted(told)

    @pytest.mark.parametrize("name", sorted(CLASSES.keys() - {"TokenRejectedError"}))
    def test_reason(self, name: str) -> None:
        """Each error's reason is the one that is told."""
        (told,) = [row[1] for row in self.ROWS if row[0] == f"`{name}`"]
        if name.startswith("Mail"):
            assert "what the mail server said" == told
        else:
            assert f"`{self.CLASSES[name].reason}`" == told

    def test_verdicts(self) -> None:
        """So are the five reasons for which a token opens nothing."""
        start = [row[0] for row in self.ROWS].index("`TokenRejectedError`")
        told = [self.ROWS[start + at][1].strip("`") for at in range(5)]

        assert list(TokenRejectedError.REASONS) == told


def figure(value: float | timedelta) -> str:
    """Return a figure as the page of limits writes it."""
    if not isinstance(value, timedelta):
        return f"{value:,}"
    for unit, length in (("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1))):
        if value > timedelta(hours=24):
            return f"{value.days} days"
        if value > length or (unit == "minute" and value == length):
            return f"{value / length:g} {unit}{'s' if value > length else ''}"
    return f"{value.total_seconds():g} seconds"


def default(function: Any, name: str) -> Any:
    """Return the default of a parameter."""
    return inspect.signature(function).parameters[name].default


SET: Final = {field.name: field.default for field in attrs.fields(Settings)}
FIGURES: Final[Mapping[str, float | timedelta]] = {
    # Passwords
    "Fewest characters of a new password": SET["password_minimum"],
    "Lowest minimum that can be set": passwords.MINIMUM_FLOOR,
    "Most characters of a new password": default(PasswordPolicy, "maximum"),
    "Lowest maximum that can be set": passwords.MAXIMUM_FLOOR,
    "Most characters that are looked at, before normalising": passwords.RAW_MAX,
    "Common passwords refused, at least": 10_000,
    # Other input
    "Most characters of any field": inputs.TEXT_MAX,
    "Most characters of a username": USERNAME_MAX,
    "Most characters of an e-mail address": addresses.ADDRESS_MAX,
    "Most characters before its `@`": addresses.LOCAL_MAX,
    "Most characters of an id or a name in an import": families.TEXT_MAX,
    "Most columns of an import": COLUMNS_MAX,
    "Most bytes of a form": _FORM_MAX,
    "Most characters of `next`": NEXT_MAX,
    "Fewest bytes of a secret key": KEY_BYTES_MIN,
    # Connection tokens
    "Random bits": RANDOM_BYTES * 8,
    "Bits of the check against typing errors": 32,
    "Valid, for a first connection": SET["first_login_ttl"],
    "Valid, for a forgotten password": SET["reset_ttl"],
    "Shortest validity that can be set": SHORTEST_TOKEN,
    "Live ones of an account from the school, at most": _tokens.LIVE_PER_ORIGIN,
    "Live ones of an account that visitors asked for, at most": _tokens.LIVE_PER_ORIGIN,
    "Dead ones kept, for": _tokens.DEAD_KEPT_FOR,
    "Dead ones of an account kept, at most": _tokens.DEAD_KEPT,
    # Sessions
    "Ends without a request after": SET["session_idle"],
    "Ends in any case after": SET["session_absolute"],
    "Longest that can be set": ABSOLUTE_MAX,
    "Sessions of one account, at most": SESSIONS_KEPT,
    "Bits of a session id": 256,
    "The last visit is written at most every": SEEN_EVERY,
    "A device is remembered for": devices.REMEMBERED,
    # Costly work
    "Memory of one Argon2id hash, in MiB": RFC_9106_LOW_MEMORY.memory_cost // 1024,
    "Passes of one Argon2id hash": RFC_9106_LOW_MEMORY.time_cost,
    "Lanes of one Argon2id hash": RFC_9106_LOW_MEMORY.parallelism,
    "Requests that wait for a hash, at most": default(Slots, "queue"),
    "They wait for": default(Slots, "wait"),
    # Mails
    "A reset mail is due after at least": SET["reset_delay"][0],
    "A reset mail is due after at most": SET["reset_delay"][1],
    "Mails of one batch": worker.BATCH,
    "A worker holds a batch for": worker.LEASE,
    "First retry after": worker.FIRST_RETRY,
    "Later retries at most every": worker.LAST_RETRY,
    "Given up after": worker.GIVEN_UP_AFTER,
    "Given-up mails kept for": DEAD_LETTERS_KEPT,
    "The mail server may take for each answer": timedelta(seconds=default(SMTPMailer, "timeout")),
    # Other time-outs
    "Reads and judges anew when somebody was faster, times": ATTEMPTS,
    "SQLite waits for a lock for": timedelta(milliseconds=BUSY_TIMEOUT),
    "A lost race in the database is repeated for": timedelta(seconds=RETRY_SECONDS),
    "Clocks of two machines may differ by": devices.SKEW,
}
WINDOWS: Final[Mapping[str, throttling.Limit]] = {
    "Failed passwords for one username": throttling.SIGN_IN_SHORT,
    "Failed passwords for one username, in all": throttling.SIGN_IN_LONG,
    "Failures of one network, wrong tokens included": throttling.FAILURES_PER_PREFIX,
    "Reset mails for one address, in an hour": throttling.RESETS_PER_HOUR,
    "Reset mails for one address, in a day": throttling.RESETS_PER_DAY,
    "Requests for a reset from one network": throttling.RESETS_PER_PREFIX,
    "Reset mails that leave a minute, over all": throttling.Limit(
        "1m", SET["reset_pace"], timedelta(minutes=1)
    ),
}


class TestLimits:
    TEXT: Final = page("reference/limits.md")
    TOLD: Final = {row[0]: row for row in rows(TEXT.partition("## Who may do what")[0])}

    def test_complete(self) -> None:
        """Every rule on the page is compared, and none is compared that is not there."""
        assert FIGURES.keys() | WINDOWS.keys() == self.TOLD.keys()

    @pytest.mark.parametrize("rule", FIGURES)
    def test_figure(self, rule: str) -> None:
        """The figure that the page tells is the code's."""
        assert figure(FIGURES[rule]) == self.TOLD[rule][1]

    @pytest.mark.parametrize("rule", WINDOWS)
    def test_window(self, rule: str) -> None:
        """So are the limits of attempts, with their windows."""
        limit = WINDOWS[rule]
        assert [figure(limit.amount), figure(limit.window)] == self.TOLD[rule][1:]

    def test_setting(self) -> None:
        """What the page calls a setting is one, and its default is the figure."""
        named = {
            row[0]: row[2].strip("`").lower()
            for rule, row in self.TOLD.items()
            if rule in FIGURES and row[2]
        }

        assert set(named.values()) <= SET.keys()
        for rule, name in named.items():
            if name != "reset_delay":  # Two figures, each compared above.
                assert FIGURES[rule] == SET[name]

    def test_counted(self) -> None:
        """What has no constant in the code is what comes out of it."""
        assert 10_000 <= len(common_passwords())
        token = TokenCodec([secrets.token_urlsafe(32)]).issue(bytes(RANDOM_BYTES))
        assert (128 + 32) // 5 == len(token)
        assert SessionRules().idle == SET["session_idle"]

    def test_headers(self) -> None:
        """The headers on the page are those of every answer."""
        (told,) = blocks(self.TEXT, "text")
        sent = [f"{name}: {value}" for name, value in {**HEADERS, "Vary": "Cookie"}.items()]

        assert sent == told.splitlines()

    def test_cookies(self) -> None:
        """The cookies on the page are those that are set."""
        names = CookieNames(secure=True)
        told = {row[0].strip("`"): row[2] for row in rows(section(self.TEXT, "Cookies"))}

        assert {
            names.session: "until the browser closes",
            names.device: figure(devices.REMEMBERED),
            names.language: figure(devices.REMEMBERED),
        } == told


class TestCommands:
    NAMES: Final = dict(commands.commands_of(group))

    def test_complete(self) -> None:
        """The page has a section for each command that `flask parentauth --help` lists."""
        help_text = Flask("none").test_cli_runner().invoke(group, ["--help"]).output
        listed = re.findall(r"^  ([\w-]+)  ", help_text.partition("Commands:")[2], re.MULTILINE)

        assert set(listed) == {name.split()[0] for name in self.NAMES}

    @pytest.mark.parametrize("name", NAMES)
    def test_section(self, name: str) -> None:
        """Each section says what the command does, how it is typed, and gives an example."""
        help_text = Flask("none").test_cli_runner().invoke(group, [*name.split(), "--help"]).output
        texts, example = commands.described(self.NAMES[name])
        options = " ".join(option for option, _ in commands.options_of(self.NAMES[name]))

        assert texts
        assert all(text for _, text in commands.options_of(self.NAMES[name]))
        for option in re.findall(r"^  (--[\w-]+)", help_text, re.MULTILINE):
            assert option in f"{options} --help"
        assert f"flask parentauth {name}" in example
        parse(example.removeprefix("flask "))


class TestTokenStates:
    FOUND: Final = token_states.transitions()

    def test_dead_stay_dead(self) -> None:
        """No token comes to life again."""
        assert "live" not in {after for _, after in self.FOUND}
        assert {"unknown"} == {
            after for before, after in self.FOUND if before in {"used", "revoked"}
        }

    def test_every_end(self) -> None:
        """A live token ends in each of the ways that the page describes."""
        assert {"used", "revoked", "expired", "unknown"} == {
            after for before, after in self.FOUND if before == "live"
        }

    def test_drawn(self) -> None:
        """The drawing has every arrow, and every word of it."""
        drawn = token_states.drawing(self.FOUND)

        assert len(self.FOUND) == drawn.count("marker-end")
        assert all(verb in drawn for verbs in self.FOUND.values() for verb in verbs)
        assert set(TokenRejectedError.REASONS) - {"closed"} < set(token_states.BOXES)

    def test_new_arrow(self) -> None:
        """An arrow without a place stops the build."""
        with pytest.raises(ValueError, match="no route"):
            token_states.drawing({("used", "live"): ["a fault"]})


# To do -------------------------------------------------------------------------------------------


class TestSQLiteStorage(StorageContract, ProcessContract):
    @pytest.fixture
    def storage(self, storage_factory: partial[SQLiteStorage]) -> SQLiteStorage:
        """Give an empty one."""
        return storage_factory()

    @pytest.fixture
    def storage_factory(self, tmp_path: Path) -> partial[SQLiteStorage]:
        """Give what another process makes its own from."""
        return partial(SQLiteStorage, str(tmp_path / "portal.db"))


class Provider(http.server.BaseHTTPRequestHandler):
    """Answers each mail with the next status that it was told."""

    protocol_version = "HTTP/1.1"
    statuses: Final[list[int]] = []
    received: Final[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        """Take one mail."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.statuses.pop(0)
        if status == 0:  # Hang up.
            self.close_connection = True
            return
        self.received.append({"key": self.headers["Authorization"], **json.loads(body)})
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@pytest.fixture(name="provider")
def _provider() -> Iterator[ProviderMailer]:
    Provider.statuses.clear()
    Provider.received.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        host = f"127.0.0.1:{server.server_port}"
        yield ProviderMailer(host, key="secret", connection=HTTPConnection)
        server.shutdown()


class TestProviderMailer:
    def test_batch(self, provider: ProviderMailer) -> None:
        """Two mails of a batch arrive whole, over one connection."""
        Provider.statuses += [202, 202]
        with provider.connect() as send:
            send(MAIL)
            send(MAIL)

        assert [[MAIL.to], [MAIL.to]] == [mail["to"] for mail in Provider.received]
        assert MAIL.text == Provider.received[0]["text"]
        assert "Bearer secret" == Provider.received[0]["key"]

    @pytest.mark.parametrize("status", [401, 429, 500, 503])
    def test_delayed(self, provider: ProviderMailer, status: int) -> None:
        """What can be mended is a delay, and the mail has surely not left."""
        Provider.statuses.append(status)
        with provider.connect() as send, pytest.raises(MailDelayedError) as caught:
            send(MAIL)

        assert (f"HTTP {status}", False) == (caught.value.reason, caught.value.maybe_sent)

    @pytest.mark.parametrize("status", [400, 404, 422])
    def test_refused(self, provider: ProviderMailer, status: int) -> None:
        """What is wrong with the mail itself is a refusal."""
        Provider.statuses.append(status)
        with provider.connect() as send, pytest.raises(MailRefusedError):
            send(MAIL)

    def test_lost(self, provider: ProviderMailer) -> None:
        """A connection that breaks may have carried the mail; the next mail has a new one."""
        Provider.statuses += [0, 202]
        with provider.connect() as send:
            with pytest.raises(MailDelayedError) as caught:
                send(MAIL)
            send(MAIL)

        assert caught.value.maybe_sent
        assert 1 == len(Provider.received)

    def test_down(self) -> None:
        """Where nobody listens, not even a token is made."""
        mailer = ProviderMailer("127.0.0.1:9", key="secret", connection=HTTPConnection)
        with pytest.raises(MailDelayedError), mailer.connect():
            pass

    def test_secret(self, provider: ProviderMailer) -> None:
        """The key is in no repr."""
        assert "secret" not in repr(provider)


CODE: Final = "ABCD1234ABCD1234ABCD1234ABCD1234"
ADDRESSES: Final = (
    f"/token/{CODE}",
    f"/TOKEN/{CODE}?x=1",
    f"/parents/token/{CODE}",
    f"/login?next=%2Ftoken%2F{CODE}",
    f"https://portail.ecole.be/token/{CODE}",
)


class TestDeploy:
    FOLDER: Final = HOWTO / "deploy"

    def read(self, name: str) -> str:
        """Return the text of one of the page's files."""
        return (self.FOLDER / name).read_text("utf-8")

    def test_shown(self) -> None:
        """The page shows each file of its folder."""
        shown = set(re.findall(r"\{literalinclude\} deploy/(\S+)", page("howto/deploy.md")))
        assert {path.name for path in self.FOLDER.iterdir() if path.is_file()} == shown

    @pytest.mark.parametrize("address", ADDRESSES)
    def test_gunicorn(self, address: str) -> None:
        """No code comes through the formatter of gunicorn's log, and the rest does."""
        names: dict[str, Any] = {}
        exec(compile(self.read("gunicorn.conf.py"), "gunicorn.conf.py", "exec"), names)  # noqa: S102
        formatter = names["logconfig_dict"]["formatters"]["generic"]["()"]("%(message)s")
        # gunicorn logs a format and a mapping.
        line = '%(h)s "%(r)s" %(s)s "%(f)s"'
        atoms = {"h": "192.0.2.7", "r": f"GET {address} HTTP/1.1", "s": "200", "f": address}
        record = logging.LogRecord("gunicorn.access", logging.INFO, "", 1, line, (atoms,), None)
        written = formatter.format(record)

        assert CODE not in written
        assert written.startswith('192.0.2.7 "GET ')
        assert '" 200 "' in written

    @pytest.mark.parametrize("address", ADDRESSES)
    def test_nginx(self, address: str) -> None:
        """No code comes through nginx's maps of path and Referer."""
        for expression, name in re.findall(
            r'"~\*(\S+)"\s+"\$\{(\w+)\}\.\.\."', self.read("nginx.conf")
        ):
            found = re.match(expression.replace("(?<", "(?P<"), address, re.IGNORECASE)
            assert found is not None
            assert CODE not in found[name]

    def test_nginx_logs(self) -> None:
        """Both maps are used, and each log is one of ours or off."""
        text = self.read("nginx.conf")
        variables = re.findall(r"^map \$\w+ \$(\w+)", text, re.MULTILINE)
        (form,) = re.findall(r"log_format without_codes ([^;]+);", text)

        assert 2 == len(variables)
        assert all(f"${variable}" in form for variable in variables)
        assert not re.search(r"\$(request|request_uri|uri|http_referer)\b", form)
        assert all(
            "without_codes" in log or log == "off"
            for log in re.findall(r"access_log ([^;]+);", text)
        )

    @pytest.mark.parametrize("name", ["portal-mail.service", "crontab"])
    def test_commands(self, name: str) -> None:
        """The commands that systemd and cron run exist."""
        lines = re.findall(r"flask --app portal (parentauth .*)", self.read(name))
        assert lines
        for line in lines:
            parse(line)

    def test_portal(self, tmp_path: Path) -> None:
        """The portal starts with what a shell reads from the file of variables."""
        shutil.copy(self.FOLDER / "portal.py", tmp_path)
        variables = self.read("portal.env").replace('"..."', f'"{secrets.token_urlsafe(32)}"')
        variables = re.sub('"postgresql:.*"', f'"sqlite:///{tmp_path}/portal.db"', variables)
        (tmp_path / "portal.env").write_text(variables, "utf-8")
        flask = f"{sys.executable} -m flask --app portal parentauth"
        script = f"set -a && . ./portal.env && {flask} db upgrade && {flask} purge"
        done = subprocess.run(
            ["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
        )

        assert (0, "") == (done.returncode, done.stderr)
        assert "accounts 0" in done.stdout


class TestTheme:
    TEXT: Final = page("howto/theme.md")

    def test_properties(self) -> None:
        """The page names every property of the stylesheet, and no other."""
        css = (STATIC / "parentauth" / "parentauth.css").read_text("utf-8")
        light = css.partition(":root {")[2].partition("}")[0]

        assert re.findall(r"^  (--[\w-]+):", light, re.MULTILINE) == first_column(
            section(self.TEXT, "Colours and shapes")
        )

    def test_stylesheet(self) -> None:
        """The example sets properties that there are."""
        told = first_column(section(self.TEXT, "Colours and shapes"))
        assert set(re.findall(r"(--[\w-]+):", (HOWTO / "theme/school.css").read_text())) <= set(
            told
        )

    def test_templates(self) -> None:
        """The page names every template."""
        listed = section(self.TEXT, "The templates")
        parts = re.findall(r"`(_\w+\.html)`", listed)
        there = [path.name for path in (TEMPLATES / "parentauth").iterdir()]

        assert sorted(there) == sorted([*first_column(listed), *parts])

    def test_blocks(self) -> None:
        """The frame has the blocks that the page names."""
        frame = (TEMPLATES / "parentauth" / "base.html").read_text("utf-8")
        (told,) = [row[2] for row in rows(self.TEXT) if row[0] == "`base.html`"]

        assert re.findall(r"block (\w+)", frame) == re.findall(r"`(\w+)`", told)

    def test_context(self) -> None:
        """The page names all that templates are given."""
        request = PageRequest("GET", links=_Links())
        views = Views(PORTAL_SCHOOL, PasswordPolicy(), request, texts("fr"))
        shown = [views.login(), views.forgot_sent(notice=""), views.error("", status=500)]
        given = {name for show in shown for name in show.context} | {"children"}
        told = {
            word
            for row in rows(section(self.TEXT, "What a template is given"))
            for word in re.findall(r"`(\w+)`", row[0])
        }

        assert given == told
        for name in ("school", "links"):
            (row,) = [row for row in rows(self.TEXT) if row[0] == f"`{name}`"]
            assert set(shown[0].context[name]) == set(re.findall(r"`(\w+)`", row[1]))

    def test_override(self, tmp_path: Path) -> None:
        """The example takes the place of our sign-in page, and its form works."""
        folder = tmp_path / "templates" / "parentauth"
        folder.mkdir(parents=True)
        shutil.copy(HOWTO / "theme" / "login.html", folder)
        app = Flask("themed", root_path=str(tmp_path))
        app.config.update(CONFIGURATION)
        ParentAuth(app, storage=MemoryStorage(), mailer=ConsoleMailer())
        html = app.test_client().get("/login", base_url=BASE_URL).text

        assert "/static/school.png" in html
        assert "parentauth-first" not in html
        assert 'name="csrf_token"' in html
        assert 'name="password"' in html


BASE_URL: Final = "https://portail.ecole.be"
CONFIGURATION: Final = {
    "SECRET_KEY": secrets.token_urlsafe(32),
    "PARENTAUTH_BASE_URL": BASE_URL,
    "PARENTAUTH_SCHOOL_NAME": "École des Tilleuls",
    "PARENTAUTH_DASHBOARD": "/children/{child_id}",
}
PORTAL_SCHOOL: Final = Settings(
    base_url=BASE_URL, school_name="École", dashboard="/", secret_keys=()
)._school()


class _Links:
    """Gives every page the same path."""

    def page(self, name: str, /, **query: str) -> str:
        return f"/{name}"

    def static(self, name: str) -> str:
        return f"/{name}"

    def extra_stylesheet(self) -> str:
        return ""


class TestFlask:
    @pytest.fixture(name="names")
    def _names(self) -> dict[str, Any]:
        """Run the page, and give its application two pages that a test needs."""
        names = run("howto/flask.md")
        markup = blocks(page("howto/flask.md"), "html+jinja")
        app = names["app"]
        app.add_url_rule("/csrf", view_func=generate_csrf)
        app.add_url_rule("/markup", view_func=lambda: "".join(map(render_template_string, markup)))
        auth_of(app).save(
            [
                Family(
                    id="P002",
                    username="karim.benali",
                    email="karim.benali@example.com",
                    children=(ChildLink("E102", "Inès", "1B"), ChildLink("E103", "Sami", "3A")),
                )
            ]
        )
        return names

    @pytest.fixture(name="client")
    def _client(self, names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> Any:
        """Give the browser of a parent who has just chosen a password."""
        app, auth = names["app"], auth_of(names["app"])
        auth.invite("P002")
        auth.deliver()
        (token,) = LINK.findall(capsys.readouterr().out)
        signed_in = auth.define_password(token, new_password=PASSWORD, confirmation=PASSWORD)
        client = app.test_client()
        client.set_cookie(
            "__Host-parentauth", signed_in.session_id, domain="portail.ecole.be", secure=True
        )
        return client

    def get(self, client: Any, path: str) -> Any:
        """Open a page."""
        return client.get(path, base_url=BASE_URL)

    def post(self, client: Any, path: str, **form: str) -> Any:
        """Send a form, with the field that protects it."""
        token = self.get(client, "/csrf").text
        return client.post(
            path,
            base_url=BASE_URL,
            data={"csrf_token": token, **form},
            headers={"Referer": f"{BASE_URL}/"},
        )

    def test_guarded(self, names: dict[str, Any]) -> None:
        """The pages of the page let nobody in."""
        client = names["app"].test_client()
        for path in ("/account", "/children/E102", "/menu"):
            assert f"/login?next={path}" == self.get(client, path).location

    def test_pages(self, client: Any) -> None:
        """They show a parent what they say."""
        assert "Signed in as karim.benali" == self.get(client, "/account").text
        assert ["Inès", "Sami"] == self.get(client, "/menu").json
        assert "/children?next=/children/E102" == self.get(client, "/children/E102").location
        self.post(client, "/children", child="E103")
        assert "Sami, 3A" == self.get(client, "/children/E103").text

    def test_two_tabs(self, client: Any) -> None:
        """A form is about the child that it names, if that is one of this parent's."""
        self.post(client, "/children", child="E103")
        answer = self.post(client, "/children/E102/absences", day="Monday")

        assert "Inès is absent on Monday" == answer.text
        assert 404 == self.post(client, "/children/E999/absences", day="Monday").status_code

    def test_csrf(self, client: Any) -> None:
        """Without the field, the host's forms and ours are refused."""
        own = client.post("/children/E102/absences", base_url=BASE_URL, data={"day": "Monday"})
        ours = client.post("/logout", base_url=BASE_URL)

        assert (400, 403) == (own.status_code, ours.status_code)

    def test_markup(self, client: Any) -> None:
        """The templates' snippets render, and their form signs out."""
        self.post(client, "/children", child="E103")
        html = self.get(client, "/markup").text

        assert "Sami" in html
        assert "Revenir à mes enfants" in html
        (action,) = re.findall('method="post" action="(.*?)"', html)
        assert 303 == self.post(client, action).status_code
        assert 303 == self.get(client, "/account").status_code

    def test_headers(self, client: Any) -> None:
        """The host's pages have our headers."""
        assert HEADERS.items() <= dict(self.get(client, "/account").headers).items()

    def test_signal(self, names: dict[str, Any], client: Any) -> None:
        """A receiver hears of a new password."""
        assert [("portal", "P002")] == names["changed"]

    def test_close(self, names: dict[str, Any], client: Any) -> None:
        """The school's verbs take effect at the next request."""
        names["close"](names["app"], "Karim.Benali")
        assert 303 == self.get(client, "/account").status_code
