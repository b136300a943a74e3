import re
import signal
import socket
import subprocess
import sys

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

from examples.flask_portal import create_app, server
from parentauth import read_families
from parentauth.flask import auth_of
from parentauth.mailers import FileMailer
from parentauth.storage.sqlalchemy import SQLAlchemyStorage
from tests.portal import FAMILIES, KEY, Demo, demo, environment, eventually, tokens_of
from tests.smtp import SMTPSink, smtp_sink

# Thirteen parents, and one of them has no address.
INVITED: Final = 12


@pytest.fixture(name="sink")
def _sink() -> Iterator[SMTPSink]:
    with smtp_sink() as sink:
        yield sink


@pytest.fixture(name="running", scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


def mailbox(folder: Path) -> FileMailer:
    """Return the mailbox of a portal that runs in *folder* with its defaults."""
    return FileMailer(folder / ".demo" / "portal.mailbox")


def mailed(folder: Path, count: int = INVITED) -> list[str]:
    """Wait until so many mails are there, and return their recipients."""
    messages = eventually(lambda: (found := mailbox(folder).messages())[count - 1 :] and found)
    return [str(message["To"]) for message in messages]


def waiting(folder: Path) -> int:
    """Return how many rows the outbox has."""
    storage = SQLAlchemyStorage.from_url(f"sqlite:///{folder}/.demo/portal.db")
    rows = len(storage.outbox(None, 100))
    storage.engine.dispose()
    return rows


def mode(path: Path) -> int:
    """Return who may do what with a file."""
    return path.stat().st_mode & 0o777


class TestStart:
    def test_ready(self, running: Demo) -> None:
        """The last line that it says tells where it answers, once it does."""
        assert re.fullmatch(r"ready http://127\.0\.0\.1:\d+", running.told[-1])
        assert 200 == running.browser().get("/").status

    def test_what_to_try(self, running: Demo) -> None:
        """It tells the address, the mailbox, and which parents are worth a try."""
        told = "\n".join(running.told)

        assert f"{running.base_url}/mailbox" in told
        assert {"marie.dubois@example.com", "karim.benali@example.com"} <= set(told.split())
        assert set(re.findall(r"\S+@\S+", told)) <= set(re.findall(r"[^,\s]+@[^,\s]+", families()))

    def test_invited(self, running: Demo) -> None:
        """Everybody who has an address is mailed, each account by itself."""
        recipients = Counter(mailed(running.folder))

        assert INVITED == recipients.total()
        assert 2 == recipients["famille.renard@example.org"]

    def test_kept_secret(self, running: Demo) -> None:
        """Key, mailbox and database are for this user only."""
        mailed(running.folder)
        beside = running.folder / ".demo"

        assert 0o600 == mode(beside / "portal.keys")
        assert 0o600 == mode(beside / "portal.db")
        assert 0o700 == mode(beside / "portal.mailbox")
        assert 0o700 == mode(beside)

    def test_commands(self, running: Demo) -> None:
        """The commands of ``flask parentauth`` work on the same database, while it runs."""
        mailed(running.folder)
        options = ["--app", "examples.flask_portal"]
        done = subprocess.run(
            [sys.executable, "-m", "flask", *options, "parentauth", "status", "--json"],
            cwd=running.folder,
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        )

        assert '"waiting": 12' in done.stdout
        assert '"no_address": 1' in done.stdout


class TestMailbox:
    def test_list(self, running: Demo) -> None:
        """The mailbox lists the mails, the newest first, and says what it is for."""
        newest = mailed(running.folder)
        page = running.browser().get("/mailbox").text

        assert "Cette page sert à essayer le portail" in page
        assert newest == re.findall(r'<a href="/mailbox/\d+">(.*?)</a>', page)

    def test_mail(self, running: Demo) -> None:
        """A mail's text comes with links to click, its HTML part locked up."""
        mailed(running.folder)
        browser = running.browser()
        text, html = browser.get("/mailbox/1"), browser.get("/mailbox/1/html")

        assert f'href="{running.base_url}/token/' in text.text
        assert f'href="{running.base_url}/token/' in html.text
        assert html.headers["Content-Security-Policy"].endswith("; sandbox")
        assert "default-src 'none'" in html.headers["Content-Security-Policy"]

    @pytest.mark.parametrize("path", ["/mailbox/0", "/mailbox/999/html"])
    def test_no_such_mail(self, running: Demo, path: str) -> None:
        """There is no page of a mail that is not there."""
        assert 404 == running.browser().get(path).status

    def test_smtp(self, tmp_path: Path, sink: SMTPSink) -> None:
        """With a mail server, mails leave for real and there is no mailbox."""
        with demo(tmp_path, PORTAL_SMTP_URL=sink.url) as running:
            sink.wait_for(INVITED)
            status = running.browser().get("/mailbox").status

        assert 404 == status
        assert not (tmp_path / ".demo" / "portal.mailbox").exists()
        assert "/mailbox" not in "\n".join(running.told)


class TestStop:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_signals(self, tmp_path: Path, number: signal.Signals) -> None:
        """SIGTERM and Ctrl-C end it cleanly: exit code 0, and not a word of complaint."""
        with demo(tmp_path) as running:
            assert 0 == running.stop(number)

        assert "Traceback" not in running.log


class TestRestart:
    def test_goes_on(self, tmp_path: Path) -> None:
        """Started again, it invites nobody twice, and takes the tokens that it mailed before."""
        with demo(tmp_path) as first:
            recipients = mailed(tmp_path)
            first.stop()
        with demo(tmp_path) as second:
            rows = waiting(tmp_path)
            (token,) = tokens_of(mailbox(tmp_path).messages()[0])
            answer = second.browser().open_token(token)
            second.stop()

        assert 0 == rows
        assert 200 == answer.status
        assert recipients == mailed(tmp_path)

    def test_killed_before_invitation(self, tmp_path: Path) -> None:
        """If it was killed when the families were in and nobody was invited, all are invited."""
        url = f"sqlite:///{tmp_path}/portal.db"
        app = create_app({"PORTAL_DATABASE_URL": url, "PORTAL_SECRET_KEYS": [KEY]})
        storage = auth_of(app).storage
        storage.create_all()
        auth_of(app).save(read_families(FAMILIES, zone=auth_of(app).school.zone))
        storage.engine.dispose()
        with (
            smtp_sink() as sink,
            demo(tmp_path, PORTAL_DATABASE_URL=url, PORTAL_SMTP_URL=sink.url) as running,
        ):
            sink.wait_for(INVITED)
            running.stop()

            assert INVITED == len(sink.envelopes)

    def test_killed_before_delivery(self, tmp_path: Path, sink: SMTPSink) -> None:
        """If it was killed when the invitations waited, they leave once."""
        settings = {"PORTAL_DATABASE_URL": f"sqlite:///{tmp_path}/portal.db"}
        with demo(tmp_path, PORTAL_SMTP_URL="smtp://127.0.0.1:1", **settings) as first:
            first.process.kill()
        with demo(tmp_path, PORTAL_SMTP_URL=sink.url, **settings) as second:
            recipients = sink.wait_for(INVITED) and sorted(sink.recipients)
            second.stop()

        assert sorted(sink.recipients) == recipients
        assert INVITED == len(sink.envelopes)

    def test_other_key(self, tmp_path: Path) -> None:
        """A new key in front lets the links of the old one live."""
        other = KEY[::-1]
        with demo(tmp_path, PORTAL_SECRET_KEYS=KEY):
            mailed(tmp_path)
        with demo(tmp_path, PORTAL_SECRET_KEYS=f"{other}, {KEY}") as second:
            (token,) = tokens_of(mailbox(tmp_path).messages()[0])

            assert 200 == second.browser().open_token(token).status
        assert not (tmp_path / ".demo" / "portal.keys").exists()


class TestLog:
    def test_no_token(self, tmp_path: Path) -> None:
        """No token stands in the log, whatever is done with the link."""
        with demo(tmp_path) as running:
            mailed(tmp_path)
            (token,) = tokens_of(mailbox(tmp_path).messages()[0])
            browser = running.browser()
            browser.choose_password(token)
            browser.get(f"/token/{token}/{token}?next=/token/{token}")
            browser.get(f"/login?next=%2Ftoken%2F{token}")
            browser.get(f"//Token/{token}")
            malformed(running, f"GET /token/{token} {token} HTTP/1.1")
            malformed(running, f"GET /token/{token} HTTP/9.x")
            malformed(running, f"BREW /token/{token} HTTP/1.1")
            running.stop()

        assert token not in running.log
        assert "GET /token/… HTTP/1.1" in running.log
        assert "code 400" in running.log

    @pytest.mark.parametrize(
        ("line", "masked"),
        [
            ('"GET /token/ABC HTTP/1.1" 200 -', '"GET /token/… HTTP/1.1" 200 -'),
            ("Exception on /token/ABC [GET]\n  line two", "Exception on /token/…\n  line two"),
            ("Bad request syntax ('GET /token/A B C')", "Bad request syntax ('GET /token/…"),
            ("GET /login?next=%2ftoken%2FABC HTTP/1.1", "GET /login?next=%2ftoken%2F… HTTP/1.1"),
            ("GET /token HTTP/1.1", "GET /token HTTP/1.1"),
        ],
    )
    def test_masked(self, line: str, masked: str) -> None:
        """What follows ``/token/`` is left out, up to the protocol or the line's end."""
        assert masked == server.masked(line)


class TestRefusal:
    @pytest.mark.parametrize(
        ("variable", "value", "cure"),
        [
            ("PORT", "huit mille", "set a number like 8000"),
            ("PORT", "99999", "set a number like 8000"),
            ("PORTAL_BASE_URL", "/portail", "PORTAL_BASE_URL is not absolute"),
            ("PORTAL_BASE_URL", "http://portail.example.org", "is not encrypted"),
            ("PORTAL_SECRET_KEYS", "secret", "PORTAL_SECRET_KEYS, key 1: it is shorter"),
            ("PORTAL_SECRET_KEYS", f"{KEY},change-me", "PORTAL_SECRET_KEYS, key 2"),
            ("PORTAL_DATABASE_URL", "portal.db", "that is no database URL"),
            ("PORTAL_DATABASE_URL", "sqlite://", "use MemoryStorage, or the path of a file"),
            ("PORTAL_DATABASE_URL", "sqlite:////dev/null/portal.db", "PORTAL_DATABASE_URL"),
            ("PORTAL_DATABASE_URL", "postgresql://127.0.0.1:1/portal", "check that it runs"),
            ("PORTAL_SMTP_URL", "smtp://mail.example.org", "use smtps://"),
            ("PORTAL_SMTP_URL", "mail.example.org", "must begin with smtps://"),
            ("PORTAL_FAMILIES", "nowhere.csv", "check its name"),
        ],
    )
    def test_one_line(self, tmp_path: Path, variable: str, value: str, cure: str) -> None:
        """What can't work is told on one line that names the cure, with exit code 1."""
        assert cure in refusal(tmp_path, **{variable: value})

    def test_families(self, tmp_path: Path) -> None:
        """The problems of a list are told with their lines, the first few of many."""
        header, *rows = families().splitlines()
        bad = [row.replace("@example", " at example") for row in rows]
        (tmp_path / "families.csv").write_text("\n".join([header, *bad]), "utf-8")
        line = refusal(tmp_path, PORTAL_FAMILIES="families.csv")

        assert "families.csv: line 2: email 'marie.dubois at example.com' is no e-mail" in line
        assert re.search(r"; and \d+ more$", line)

    def test_busy_port(self, tmp_path: Path, running: Demo) -> None:
        """A port that another program has is told, before anything is done."""
        port = str(urlsplit(running.base_url).port)
        line = refusal(tmp_path, PORT=port)

        assert f"portal: port {port} can't be used (Address already in use)" in line
        assert [] == list(tmp_path.iterdir())


def families() -> str:
    """Return the portal's list of parents and children."""
    return FAMILIES.read_text("utf-8")


def malformed(running: Demo, line: str) -> None:
    """Send a request line as it stands, and wait for the answer's end."""
    address = urlsplit(running.base_url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(f"{line}\r\nConnection: close\r\n\r\n".encode())
        while connection.recv(4096):
            pass


def refusal(folder: Path, **variables: str) -> str:
    """Start the portal in vain and return the one line that it says."""
    done = subprocess.run(
        [sys.executable, "-m", "examples.flask_portal"],
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    (line,) = done.stderr.splitlines()

    assert (1, "") == (done.returncode, done.stdout)
    return line
