import json
import os
import pty
import signal
import subprocess
import sys
import time

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import click
import pytest
import sqlalchemy

from click.testing import Result

from parentauth import ChildLink, Family, Status
from parentauth.exceptions import MailDelayedError, MailRefusedError, StorageError
from parentauth.flask._cli import group
from parentauth.storage.memory import MemoryStorage
from parentauth.storage.sqlalchemy import SQLAlchemyStorage
from tests.doubles import raising
from tests.flask_app import CONFIG, Site, dump, sqlite_storage
from tests.school import DAY

COMMANDS = [
    "change-address",
    "close",
    "db upgrade",
    "deliver",
    "departed",
    "drop",
    "end-sessions",
    "erase",
    "export",
    "import-families",
    "invite",
    "open",
    "outbox",
    "purge",
    "retry",
    "revoke-tokens",
    "status",
]
ABOUT_ONE = {
    "change-address": ["--to", "new@example.be"],
    "close": [],
    "open": [],
    "revoke-tokens": [],
    "end-sessions": [],
    "export": [],
    "erase": ["--yes"],
    "status": [],
    "invite": [],
}
HEADER = "parent_id,username,email,parent_name,locale,child_id,child_name,class"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Give a portal in a SQLite file."""
    storage = sqlite_storage(tmp_path)
    yield Site(storage=storage)
    storage.engine.dispose()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a file with two parents of three children."""
    path = tmp_path / "families.csv"
    rows = [
        "n1,zoe,zoe@example.be,Zoé Dupont,fr,k1,Léa Dupont,1A",
        "n1,zoe,zoe@example.be,Zoé Dupont,fr,k2,Tom Dupont,3B",
        "n2,yves,,Yves Noël,,k3,Eva Noël,",
    ]
    path.write_text("\n".join([HEADER, *rows]), "utf-8")
    return path


def commands() -> dict[str, click.Command]:
    """Return every command by its whole name."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        inner = command.commands if isinstance(command, click.Group) else {"": command}
        found |= {f"{name} {last}".strip(): each for last, each in inner.items()}
    return found


def run(site: Site, *args: object, **values: Any) -> Result:
    """Run a command."""
    return site.app.test_cli_runner().invoke(
        args=["parentauth", *(str(arg) for arg in args)], **values
    )


def done(site: Site, *args: object, **values: Any) -> str:
    """Run a command that succeeds, and return what it printed."""
    result = run(site, *args, **values)
    assert (0, None) == (result.exit_code, result.exception), result.output
    return result.stdout


def told(site: Site, *args: object) -> Any:
    """Run a command that succeeds, and read its JSON."""
    return json.loads(done(site, *args, "--json"))


def refused(site: Site, *args: object, code: int = 1, **values: Any) -> str:
    """Run a command that is refused, and return what it said."""
    result = run(site, *args, **values)
    assert code == result.exit_code, result.output
    assert "" == result.stdout
    assert "Traceback" not in result.stderr
    return result.stderr


class TestHelp:
    def test_commands(self) -> None:
        """These are all the commands."""
        assert COMMANDS == sorted(commands())

    @pytest.mark.parametrize("name", COMMANDS)
    def test_help(self, site: Site, name: str) -> None:
        """Each command says what it does, with an example."""
        text = done(site, *name.split(), "--help")
        command = commands()[name]

        assert f"Example: flask parentauth {name}" in " ".join(text.split())
        options = [each for each in command.params if isinstance(each, click.Option)]
        assert [] == [option.name for option in options if not option.help]

    @pytest.mark.parametrize("name", [name for name in COMMANDS if name != "db upgrade"])
    def test_json(self, name: str) -> None:
        """Each command that tells something can tell it as JSON."""
        assert "as_json" in {parameter.name for parameter in commands()[name].params}

    def test_unknown(self, site: Site) -> None:
        """An unknown command or option is refused, as click does."""
        assert "No such command" in refused(site, "invent", code=2)
        assert "No such option" in refused(site, "status", "--colour", code=2)


class TestTables:
    def test_upgrade(self, tmp_path: Path) -> None:
        """The tables are made, and made again without harm."""
        storage = SQLAlchemyStorage.from_url(f"sqlite:///{tmp_path / 'new.db'}")
        storage.create_all()
        site = Site(storage=storage)
        with storage.engine.begin() as connection:
            for table in reversed(sqlalchemy.inspect(connection).get_table_names()):
                connection.exec_driver_sql(f'DROP TABLE "{table}"')

        assert "Error: " in refused(site, "status")
        assert "" == done(site, "db", "upgrade") == done(site, "db", "upgrade")
        assert 0 == told(site, "status")["waiting"]
        storage.engine.dispose()

    def test_none(self) -> None:
        """A storage without tables says so."""
        assert "Error: this storage has no tables\n" == refused(Site(), "db", "upgrade")

    def test_broken(self, site: Site) -> None:
        """Whatever the storage says is one line."""

        def fail(*_: object) -> None:
            raise StorageError("the database is away")

        site.storage.scan = fail

        assert "Error: the database is away\n" == refused(site, "status")


class TestImportFamilies:
    def test_new(self, site: Site, file: Path) -> None:
        """Parents and children come in; nobody is invited."""
        assert "added 2, changed 0, unchanged 0, left 0\n" == done(site, "import-families", file)
        account = site.account("n1")
        assert ("zoe", "Zoé Dupont", "zoe@example.be", "fr") == (
            account.username,
            account.name,
            account.email,
            account.locale,
        )
        assert ["Léa Dupont", "Tom Dupont"] == [link.name for link in account.children]
        assert [] == site.outbox
        assert "added 0, changed 0, unchanged 2, left 0\n" == done(site, "import-families", file)

    @pytest.mark.parametrize("separator", [",", ";", "\t"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
    @pytest.mark.parametrize("line_end", ["\n", "\r\n"])
    def test_spreadsheets(
        self, site: Site, file: Path, separator: str, encoding: str, line_end: str
    ) -> None:
        """What spreadsheets of Belgian offices save is read, whichever way."""
        text = file.read_text("utf-8").replace(",", separator).replace("\n", line_end)
        file.write_bytes(text.encode(encoding))

        assert 2 == told(site, "import-families", file)["added"]
        assert "Noël" in site.account("n2").name

    def test_all_problems_at_once(self, site: Site, file: Path) -> None:
        """Each wrong row is told with its line and its cure, and nothing is written."""
        before = dump(site.storage.engine)
        with file.open("a", encoding="utf-8") as out:
            out.write("\n,,no address,X,xx,,Child,1A")
            out.write("\nn3,anna,x@example.be,X,fr,k9,Child,1A")
            out.write("\nn4,zoe,x@example.be,X,fr,k9,Child,1A")
        said = refused(site, "import-families", file)

        assert said.startswith("Error: nothing was imported\n")
        for part in (
            "line 5: parent_id",
            "line 5: username",
            "'no address'",
            "'xx'",
            "child_id",
            "line 7",
        ):
            assert part in said
        assert before == dump(site.storage.engine)

    def test_taken_username(self, site: Site, file: Path) -> None:
        """A username of another account is told with its line."""
        with file.open("a", encoding="utf-8") as out:
            out.write("\nn3,anna,x@example.be,X,fr,k9,Child,1A")

        assert "line 5: username 'anna' belongs to account 'p1'" in refused(
            site, "import-families", file
        )

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "column 'username' is missing"),
            (b"a,b\n1,2", "column 'a' is unknown"),
            (HEADER.encode(), "no row below its header"),
            (HEADER.encode() + b"\nn1,zoe\n", "line 2: has more or fewer cells"),
            (b"\x00\x01\x02", "line 1"),
        ],
    )
    def test_no_such_file(self, site: Site, tmp_path: Path, content: bytes, said: str) -> None:
        """A file that is something else is refused in words."""
        path = tmp_path / "other.csv"
        path.write_bytes(content)

        assert said in refused(site, "import-families", path)

    def test_missing_file(self, site: Site, tmp_path: Path) -> None:
        """So is one that is not there, and a folder."""
        assert "nothing.csv can't be read" in refused(site, "import-families", "nothing.csv")
        assert "can't be read" in refused(site, "import-families", tmp_path)

    def test_dry_run(self, site: Site, file: Path) -> None:
        """A dry run shows what would change, and writes nothing."""
        done(site, "import-families", file)
        text = file.read_text("utf-8").replace("Tom Dupont", "Thomas Dupont")
        file.write_text(text.replace("Yves Noël", "Yves Noel"), "utf-8")
        before = dump(site.storage.engine)
        shown = done(site, "import-families", file, "--dry-run")
        as_json = told(site, "import-families", file, "--dry-run")

        assert "nothing was written; this would change:\n" in shown
        assert "n2: parent_name 'Yves Noël' becomes 'Yves Noel'\n" in shown
        assert "n1: child k2 changes" in shown
        assert (2, True) == (as_json["changed"], as_json["dry_run"])
        assert 2 <= len(as_json["differences"])
        assert before == dump(site.storage.engine)

    def test_complete(self, site: Site, file: Path) -> None:
        """With --complete, who is absent loses their children, and is named; without, nobody does."""
        done(site, "import-families", file)
        assert site.account("p1").has_child(site.clock())
        result = run(site, "import-families", file, "--complete")

        assert 0 == result.exit_code
        assert not site.account("p1").has_child(site.clock())
        assert "p1 has no child any more" in result.stderr
        assert "left 4" in result.stdout

    def test_look_alikes(self, site: Site, tmp_path: Path) -> None:
        """A parent with name and address of another one is reported, and kept apart."""
        path = tmp_path / "twice.csv"
        path.write_text(f"{HEADER}\nn9,anna2,anna@example.be,Anna Peeters,fr,k9,Kid,1A", "utf-8")
        result = run(site, "import-families", path)

        assert "n9 looks like p1" in result.stderr
        assert "anna" == site.account("p1").username

    def test_without_parent_id(self, site: Site, tmp_path: Path) -> None:
        """Without the school's ids the canonical username is the id; it may not be empty."""
        header = HEADER.removeprefix("parent_id,")
        path = tmp_path / "families.csv"
        path.write_text(f"{header}\nZoé.X,z@example.be,Zoé,fr,k1,Léa,1A", "utf-8")
        done(site, "import-families", path)
        path.write_text(f"{header}\n,z@example.be,Zoé,fr,k1,Léa,1A", "utf-8")

        assert "zoé.x" == told(site, "status", "Zoé.X")["id"]
        assert "line 2: username is empty" in refused(site, "import-families", path)


class TestInvite:
    def test_one(self, site: Site) -> None:
        """One parent, by username in any spelling or by id."""
        assert "queued 1\n" == done(site, "invite", "ANNA")
        assert {"queued": 1} == told(site, "invite", "--id", "p2")
        assert {"p1", "p2"} == {row.intent.account_id for row in site.outbox}

    def test_all(self, site: Site) -> None:
        """All who have an address and were never invited; again: also who waits."""
        assert {"queued": 5} == told(site, "invite", "--all")
        site.deliver()
        assert {"queued": 0} == told(site, "invite", "--all")
        assert {"queued": 5} == told(site, "invite", "--all", "--again")

    def test_again(self, site: Site) -> None:
        """A parent whose token is live is invited anew only if one says so."""
        site.invited("p1")
        sent = len(site.mailer.sent)
        done(site, "invite", "anna")
        site.deliver()
        assert sent == len(site.mailer.sent)
        done(site, "invite", "anna", "--again")
        site.deliver()
        assert sent + 1 == len(site.mailer.sent)

    @pytest.mark.parametrize(
        "args", [[], ["anna", "--all"], ["--id", "p1", "--all"], ["anna", "--id", "p1"]]
    )
    def test_whom(self, site: Site, args: list[str]) -> None:
        """One says whom, in one way."""
        assert "Usage" in refused(site, "invite", *args, code=2)
        assert [] == site.outbox

    def test_no_bar_elsewhere(self, site: Site) -> None:
        """Where nobody watches there is no progress bar."""
        result = run(site, "invite", "--all")

        assert ("queued 5\n", "") == (result.stdout, result.stderr)


class TestDeliver:
    def test_once(self, site: Site) -> None:
        """What is due is sent, and counted."""
        site.auth.invite_all()

        assert "sent 5, delayed 0, dead 0, dropped 0\n" == done(site, "deliver")
        assert "sent 0, delayed 0, dead 0, dropped 0\n" == done(site, "deliver")
        assert 5 == len(site.mailer.sent)

    def test_limit(self, site: Site) -> None:
        """At most so many."""
        site.auth.invite_all()

        assert {"sent": 2, "delayed": 0, "dead": 0, "dropped": 0} == told(
            site, "deliver", "--limit", 2
        )
        assert 2 == len(site.mailer.sent)

    def test_many(self, site: Site) -> None:
        """More than a batch, too."""
        site.auth.save([Family(f"m{n}", f"m{n}", f"M {n}", f"m{n}@example.be") for n in range(120)])
        site.auth.invite_all()

        assert 103 == told(site, "deliver", "--limit", 103)["sent"]
        assert 22 == told(site, "deliver")["sent"]

    def test_trouble(self, site: Site) -> None:
        """What did not leave is counted as such."""
        for parent in ("p1", "p2", "p3"):
            site.auth.invite(parent)
        site.mailer.fail_send = raising(MailDelayedError("later"), MailRefusedError("never"))

        assert "sent 1, delayed 1, dead 1, dropped 0\n" == done(site, "deliver")

    @pytest.mark.parametrize("args", [["--limit", "0"], ["--every", "0"], ["--every", "x"]])
    def test_wrong(self, site: Site, args: list[str]) -> None:
        """Numbers that make no sense are refused."""
        assert "Invalid value" in refused(site, "deliver", *args, code=2)


class TestOutbox:
    @pytest.fixture
    def dead(self, site: Site) -> str:
        """Give the row of a mail that was given up, beside one that waits."""
        site.auth.invite("p1")
        site.mailer.fail_send = raising(MailRefusedError("550 no such mailbox"))
        site.deliver()
        site.auth.invite("p2")
        [row] = [row for row in site.outbox if row.dead_at]
        return row.id

    def test_list(self, site: Site, dead: str) -> None:
        """What waits and what died is listed, with the reason and without address."""
        lines = done(site, "outbox").splitlines()
        rows = told(site, "outbox")

        assert "row\tkind\tid\tdue\tattempts\tdead\treason" == lines[0]
        assert 3 == len(lines)
        assert {"p1": "550 no such mailbox", "p2": None} == {
            row["id"]: row["reason"] for row in rows
        }
        assert "@" not in "".join(lines)

    def test_dead(self, site: Site, dead: str) -> None:
        """Or only what died."""
        assert [dead] == [row["row"] for row in told(site, "outbox", "--dead")]

    def test_empty(self, site: Site) -> None:
        """Nothing is said as such."""
        assert "no mail\n" == done(site, "outbox")
        assert [] == told(site, "outbox")

    @pytest.mark.parametrize("all_of_them", [False, True])
    def test_retry(self, site: Site, dead: str, all_of_them: bool) -> None:  # noqa: FBT001
        """A dead mail is queued anew, and sent."""
        assert {"queued": 1} == told(site, "retry", "--all" if all_of_them else dead)
        site.deliver()

        assert [] == site.outbox
        assert 2 == len(site.mailer.sent)

    def test_retry_unknown(self, site: Site, dead: str) -> None:
        """A row that is not dead is told."""
        [waiting] = [row.id for row in site.outbox if row.id != dead]

        assert "queued 0; the other rows are not among the dead" in refused(site, "retry", waiting)
        assert "queued 1;" in refused(site, "retry", dead, "nothing")
        assert "Usage" in refused(site, "retry", code=2)
        assert "Usage" in refused(site, "retry", "--all", "x", code=2)

    def test_drop(self, site: Site, dead: str) -> None:
        """A mail is deleted unsent."""
        assert "dropped 1\n" == done(site, "drop", dead)
        assert [] == told(site, "outbox", "--dead")
        assert "dropped 0; the other rows are unknown" in refused(site, "drop", dead)
        assert "Missing argument" in refused(site, "drop", code=2)


@pytest.mark.parametrize("name", ABOUT_ONE)
class TestWhom:
    def test_by_username_or_id(self, site: Site, name: str) -> None:
        """A parent is named by username, in any spelling, or by id."""
        done(site, name, " Anna ", *ABOUT_ONE[name])
        done(site, name, "--id", "p2", *ABOUT_ONE[name])

    @pytest.mark.parametrize("whom", [["nobody"], ["--id", "nobody"], [""], ["--id", ""], ["a\0b"]])
    def test_nobody(self, site: Site, name: str, whom: list[str]) -> None:
        """Who is not there is told in one line, and nothing is done."""
        before = dump(site.storage.engine)
        said = refused(site, name, *whom, *ABOUT_ONE[name])

        assert 1 == said.count("\n")
        assert said.startswith("Error: ")
        assert before == dump(site.storage.engine)

    def test_twice(self, site: Site, name: str) -> None:
        """Not by both."""
        assert "not both" in refused(site, name, "anna", "--id", "p1", *ABOUT_ONE[name], code=2)


@pytest.mark.parametrize("name", [name for name in ABOUT_ONE if name not in {"status", "invite"}])
def test_somebody_must_be_named(site: Site, name: str) -> None:
    """A verb about one parent asks for whom."""
    assert "name one USERNAME, or give --id" in refused(site, name, *ABOUT_ONE[name], code=2)


class TestVerbs:
    def test_status(self, site: Site) -> None:
        """Counts of all, or where one stands."""
        site.invited("p1")
        counts = told(site, "status")

        assert {state.value for state in Status} == counts.keys()
        assert (1, 1, 4) == (counts["waiting"], counts["no_address"], counts["not_invited"])
        assert "waiting 1" in done(site, "status")
        assert {"id": "p1", "status": "waiting"} == told(site, "status", "anna")
        assert "id p6, status no_address\n" == done(site, "status", "farid")

    def test_change_address(self, site: Site) -> None:
        """The address changes at once, and both are told."""
        site.connected("p1")
        assert "p1: address changed\n" == done(site, "change-address", "anna", "--to", "a@new.be")
        site.deliver()

        assert "a@new.be" == site.account("p1").email
        assert {"Anna@example.be", "a@new.be"} == {mail.to for mail in site.mailer.sent}
        done(site, "change-address", "anna", "--none")
        assert site.account("p1").email is None

    @pytest.mark.parametrize("args", [[], ["--to", "a@b.be", "--none"]])
    def test_which_address(self, site: Site, args: list[str]) -> None:
        """One says which."""
        assert "give --to or --none" in refused(site, "change-address", "anna", *args, code=2)

    def test_no_address(self, site: Site) -> None:
        """What is no address is refused, and not repeated."""
        assert "Error: not an e-mail address\n" == refused(
            site, "change-address", "anna", "--to", "x y@z"
        )

    def test_close_and_open(self, site: Site) -> None:
        """Closing ends everything at once; opening lets the parent sign in again."""
        browser = site.signed_in("p1")
        assert {"id": "p1", "done": "closed"} == told(site, "close", "anna")
        assert not browser.is_signed_in
        assert 422 == browser.sign_in("anna").status_code
        assert "p1: open\n" == done(site, "open", "anna")
        assert 303 == browser.sign_in("anna").status_code

    def test_revoke_tokens(self, site: Site) -> None:
        """A mailed token opens nothing any more."""
        token = site.invited("p1")
        done(site, "revoke-tokens", "anna")

        assert 422 == site.browser().post("/token", token=token).status_code

    def test_end_sessions(self, site: Site) -> None:
        """The parent is signed out everywhere."""
        browser = site.signed_in("p1")
        done(site, "end-sessions", "anna")

        assert not browser.is_signed_in

    def test_export(self, site: Site) -> None:
        """All that is kept, and nothing that opens anything."""
        site.signed_in("p1")
        text = done(site, "export", "anna")
        account = site.account("p1")

        assert json.loads(text) == told(site, "export", "anna")
        assert ("Anna@example.be", "Noor") == (
            json.loads(text)["email"],
            json.loads(text)["children"][0]["name"],
        )
        assert account.password_hash not in text
        assert account.sessions[0].digest not in text

    @pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("", 1)])
    def test_erase_asks(self, site: Site, answer: str, code: int) -> None:
        """Erasing asks first, and without a yes does nothing."""
        site.auth.invite("p1")
        result = run(site, "erase", "anna", input=answer)

        assert code == result.exit_code
        assert "Erase the account p1 for good?" in result.stderr
        assert (code == 1) == bool(site.outbox)
        assert (code == 1) == ("p1" in site.storage.accounts(["p1"]))

    def test_erase(self, site: Site) -> None:
        """With --yes it does not ask."""
        assert {"id": "p1", "done": "erased"} == told(site, "erase", "anna", "--yes")
        assert {} == site.storage.accounts(["p1"])

    def test_departed(self, site: Site) -> None:
        """Whose last child left so many days ago is listed."""
        gone = ChildLink("c1", "Noor", "1A", until=site.clock() - 100 * DAY)
        site.change("p1", children=(gone,))

        assert [("p1", "anna")] == [(row["id"], row["username"]) for row in told(site, "departed")]
        assert "p1\tanna\tAnna Peeters\t2026-05-24" in done(site, "departed")
        assert "nobody\n" == done(site, "departed", "--days", 101)
        assert "Invalid value" in refused(site, "departed", "--days", "-1", code=2)

    def test_purge(self, site: Site) -> None:
        """What has lost its use is forgotten."""
        site.invited("p1")
        site.auth.revoke_tokens("p1")
        site.clock.advance(50 * DAY)

        assert "accounts 1, dead letters 0\n" == done(site, "purge")
        assert {"accounts": 0, "dead_letters": 0} == told(site, "purge")


APP = """
import sys, time
from contextlib import contextmanager
from pathlib import Path
from flask import Flask
from parentauth import Argon2Hasher
from parentauth.flask import ParentAuth
from parentauth.storage.sqlalchemy import SQLAlchemyStorage

FOLDER = Path(__file__).parent

class SlowMailer:
    @contextmanager
    def connect(self):
        yield self.send

    def send(self, mail):
        time.sleep(0.02)
        with (FOLDER / "sent").open("a") as out:
            out.write(mail.to + chr(10))

def create_app():
    app = Flask("school")
    app.config.update(CONFIG)
    ParentAuth(
        app,
        storage=SQLAlchemyStorage.from_url(f"sqlite:///{FOLDER / 'portal.db'}"),
        mailer=SlowMailer(),
        hasher=Argon2Hasher.for_tests(),
    )
    return app
"""


@attrs.define
class Program:
    """The commands as a program of their own, as cron and systemd start them."""

    folder: Path

    def start(self, *args: str, **values: Any) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "app:create_app", "parentauth", *args],
            cwd=self.folder,
            text=True,
            stdout=subprocess.PIPE,
            **values,
        )

    @property
    def sent(self) -> list[str]:
        """The addresses that mails were sent to."""
        path = self.folder / "sent"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Give a portal of 150 parents who are not invited yet."""
    (tmp_path / "app.py").write_text(f"CONFIG = {dict(CONFIG)!r}\n{APP}")
    storage = sqlite_storage(tmp_path)
    site = Site(storage=storage)
    site.auth.save([Family(f"m{n}", f"m{n}", f"M {n}", f"m{n}@example.be") for n in range(145)])
    storage.engine.dispose()
    return Program(tmp_path)


class TestProgram:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_stop(self, program: Program, number: signal.Signals) -> None:
        """A worker that is told to stop finishes the batch at hand: each mail left once, none is held."""
        storage = SQLAlchemyStorage.from_url(f"sqlite:///{program.folder / 'portal.db'}")
        Site(storage=storage).auth.invite_all()
        worker = program.start("deliver", "--every", "0.1")
        while len(program.sent) < 5:
            assert worker.poll() is None
            time.sleep(0.01)
        worker.send_signal(number)
        out, _ = worker.communicate(timeout=30)
        rows = storage.outbox(None, 1000)
        storage.engine.dispose()

        assert 0 == worker.returncode
        assert (50, 50) == (len(program.sent), len(set(program.sent)))
        assert "sent 50, delayed 0, dead 0, dropped 0\n" == out
        assert 100 == len(rows)
        assert not [row for row in rows if row.leased_until]

    def test_bar(self, program: Program) -> None:
        """On a terminal, inviting all shows how far it is; --quiet shows nothing."""
        shown = []
        for args in ([], ["--quiet", "--again"], ["--json", "--again"]):
            ours, theirs = pty.openpty()
            with program.start("invite", "--all", *args, stderr=theirs) as invite:
                assert 0 == invite.wait(timeout=30)
            os.close(theirs)
            try:
                shown.append(os.read(ours, 10_000).decode())
            except OSError:
                shown.append("")
            os.close(ours)

        assert "inviting" in shown[0]
        assert "100%" in shown[0]
        assert ["", ""] == shown[1:]

    def test_storage_away(self, program: Program) -> None:
        """A worker outlives a database that is away for a moment."""
        database = program.folder / "portal.db"
        for path in program.folder.glob("portal.db*"):
            path.unlink()
        worker = program.start("deliver", "--every", "0.1", stderr=subprocess.PIPE)
        assert worker.stderr is not None
        assert "mail could not be delivered, trying again" in worker.stderr.readline()
        assert worker.poll() is None
        worker.terminate()
        worker.communicate(timeout=30)

        assert database.exists()
        assert 0 == worker.returncode


def test_memory_storage() -> None:
    """The commands need no database."""
    site = Site(storage=MemoryStorage())
    site.connected("p1")

    assert "connected 1" in done(site, "status")
