"""The tutorial, followed to the letter: its files, its commands, and a parent in a browser."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import pytest

from parentauth.mailers import FileMailer
from tests.portal import LINK, PASSWORD, Browser, eventually, text_of
from tests.smtp import smtp_sink

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "tutorial" / "flask.md"
BLOCK: Final = re.compile(
    r"^```(?P<kind>\S+) ?(?P<argument>\S*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
# What makes an environment: the one that runs the tests has parentauth already.
INSTALLING: Final = (
    "python3 -m venv .venv",
    ". .venv/bin/activate",
    'pip install "../parentauth[flask,sql]"',
)
# What goes on until it is stopped.
RUNNING: Final = ("flask --app portal run", "flask --app portal parentauth deliver --every 5")


@attrs.frozen
class File:
    """A file that the page tells its reader to write."""

    name: str
    source: Path


@attrs.frozen
class Command:
    """A command, and what the page says that it prints."""

    line: str
    output: str


def steps_of(text: str) -> Iterator[tuple[str, File | Command]]:
    """Give files and commands in the order of the page, each with its section."""
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title = section.partition("\n")[0]
        for block in BLOCK.finditer(section):
            if block["kind"] == "{literalinclude}":
                name = re.search(r"^:caption: (\S+)$", block["body"], re.MULTILINE)
                assert name is not None, block["argument"]
                yield title, File(name[1], (PAGE.parent / block["argument"]).resolve())
            elif block["kind"] == "console":
                for command in re.split(r"^\$ ", block["body"], flags=re.MULTILINE)[1:]:
                    line, _, output = command.partition("\n")
                    yield title, Command(line, output)


@attrs.define
class Reader:
    """Does what the page says."""

    folder: Path
    port: int
    steps: list[tuple[str, File | Command]]
    variables: dict[str, str] = attrs.field(factory=dict)
    replaced: dict[str, str] = attrs.field(factory=dict)
    running: list[subprocess.Popen[str]] = attrs.field(factory=list)

    @property
    def browser(self) -> Browser:
        """A browser of its own."""
        return Browser(f"http://127.0.0.1:{self.port}")

    @property
    def mails(self) -> FileMailer:
        """The mails on the disk."""
        return FileMailer(self.folder / "mails")

    def token_for(self, address: str) -> str:
        """Return the token of the newest mail to *address*."""
        mail = next(mail for mail in self.mails.messages() if mail["To"] == address)
        (token,) = LINK.findall(text_of(mail))
        return token

    def follow(self, title: str) -> None:
        """Do everything up to the end of a section."""
        assert title in dict(self.steps)
        while self.steps and (self.steps[0][0] == title or title in dict(self.steps[1:])):
            step = self.steps.pop(0)[1]
            if isinstance(step, File):
                (self.folder / step.name).parent.mkdir(exist_ok=True)
                shutil.copy(step.source, self.folder / step.name)
            else:
                self._type(step)

    def _type(self, command: Command) -> None:
        line = command.line
        if line in INSTALLING:
            return
        if line.startswith("mkdir "):
            (self.folder / line.removeprefix("mkdir ")).mkdir()
        elif line.startswith("cd "):
            self.folder /= line.removeprefix("cd ")
        elif line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            self.variables[name] = self.replaced.get(name, value.strip('"'))
        elif line in RUNNING:
            self.running.append(self._start(line))
        else:
            self._run(command)

    def _run(self, command: Command) -> None:
        process = self._start(command.line)
        output, errors = process.communicate(timeout=60)
        assert "No such command" not in errors, (
            f"the tutorial says `{command.line}`, and there is no such command: {errors}"
        )
        assert 0 == process.returncode, (command.line, output, errors)
        if command.output:
            assert command.output == output

    def _start(self, line: str) -> subprocess.Popen[str]:
        programs = Path(sys.executable).parent
        kept = {name: os.environ[name] for name in ("LANG", "HOME") if name in os.environ}
        return subprocess.Popen(
            ["sh", "-c", line],
            cwd=self.folder,
            env={
                **kept,
                "PATH": f"{programs}:{os.environ['PATH']}",
                # Where a test may listen, and no waiting.
                "FLASK_RUN_PORT": str(self.port),
                "FLASK_PARENTAUTH_BASE_URL": f"http://127.0.0.1:{self.port}",
                "FLASK_PARENTAUTH_RESET_DELAY": "[0, 0]",
                **self.variables,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def stop(self) -> None:
        """End what still runs."""
        while self.running:
            process = self.running.pop()
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate(timeout=30)


@pytest.fixture(name="reader")
def _reader(tmp_path: Path) -> Iterator[Reader]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    reader = Reader(tmp_path, port, list(steps_of(PAGE.read_text("utf-8"))))
    yield reader
    reader.stop()


def answers(port: int) -> bool:
    """Tell whether something listens there."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


class TestPage:
    def test_files(self) -> None:
        """Every file of the tutorial's folder is on the page, and every file there exists."""
        used = {
            step.source for _, step in steps_of(PAGE.read_text("utf-8")) if isinstance(step, File)
        }
        kept = {
            path
            for path in (ROOT / "examples" / "tutorial").rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }

        assert kept == used

    def test_lines(self) -> None:
        """What changes for real mail are the three lines that the page marks."""
        before, after = (
            (ROOT / "examples" / "tutorial" / name).read_text("utf-8").splitlines()
            for name in ("portal.py", "portal_with_smtp.py")
        )

        changed = [number for number, line in enumerate(after, 1) if line not in before]

        assert 3 == len(changed)
        assert f":emphasize-lines: {','.join(map(str, changed))}\n" in PAGE.read_text("utf-8")


@pytest.mark.slow
class TestFollowed:
    def test_to_the_end(self, reader: Reader) -> None:
        """Whoever types the page's commands gets its portal, its mails and its answers."""
        reader.follow("In a parent's place")
        eventually(lambda: answers(reader.port))
        _signs_in(reader)
        _chooses_a_child(reader)

        reader.follow("A forgotten password")
        _forgets(reader)

        reader.stop()
        with smtp_sink() as sink:
            reader.replaced["FLASK_MAIL_URL"] = sink.url
            reader.follow("Real mail")

            assert ["grace.okafor@example.com"] == sink.recipients
            assert "Username: grace.okafor" in text_of(sink.messages[0])
        assert [] == reader.steps


def _signs_in(reader: Reader) -> None:
    """Marie has one child and lands on its page; her code works once."""
    token, marie = reader.token_for("marie.dubois@example.com"), reader.browser
    saved = marie.choose_password(token)
    assert (303, "/children/E101") == (saved.status, saved.location)
    page = marie.follow()
    assert "Lucas Dubois, 3e A" in page.text
    assert "Vous êtes connecté au compte de Lucas Dubois" in page.text
    assert "/children/E101" == marie.get("/children/E104").location
    assert "Ce jeton a déjà servi." in reader.browser.open_token(token).text
    assert "/children/E101" == reader.browser.sign_in("marie.dubois").location


def _chooses_a_child(reader: Reader) -> None:
    """Karim has two, and picks one first."""
    karim = reader.browser
    saved = karim.choose_password(reader.token_for("karim.benali@example.com"))
    assert "/children" == saved.location
    karim.follow()
    assert "/children/E103" == karim.submit("/children", form=1).location
    assert "Sami Benali, 3e A" in karim.follow().text


def _forgets(reader: Reader) -> None:
    """The worker mails a new code, and the page before it told nothing."""
    visitor, before = reader.browser, len(reader.mails.messages())
    visitor.forget("marie.dubois@example.com")
    assert "Si un compte est lié à cette adresse" in visitor.follow().text
    # The notices of the two new passwords, and the new code.
    eventually(lambda: len(reader.mails.messages()) == before + 3)
    newest = next(mail for mail in reader.mails.messages() if LINK.search(text_of(mail)))
    assert "marie.dubois@example.com" == newest["To"]
    (token,) = LINK.findall(text_of(newest))
    assert 303 == visitor.choose_password(token, f"{PASSWORD}, encore").status
    eventually(lambda: len(reader.mails.messages()) == before + 4)
