"""What the documentation and the README say is what the code does."""

import re
import secrets

from datetime import timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import attrs
import pytest

from parentauth.exceptions import MailDelayedError
from parentauth.settings import PREFIX, Settings
from tests.test_mailers import MAIL

ROOT = Path(__file__).parents[1]
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
