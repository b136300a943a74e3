from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from hypothesis import given
from hypothesis import strategies as st

from parentauth.exceptions import ConfigurationError
from parentauth.settings import PREFIX, Settings, read_settings
from parentauth.storage.memory import MemoryStorage
from tests.doubles import CountingHasher, ListMailer
from tests.school import BASE_URL, SECRET

NEEDED = {
    "PARENTAUTH_BASE_URL": BASE_URL,
    "PARENTAUTH_SCHOOL_NAME": "École des Tilleuls",
    "PARENTAUTH_DASHBOARD": "portal.dashboard",
}
NAMES = [field.name for field in attrs.fields(Settings)]


def read(**values: Any) -> Settings:
    """Read what is needed and these values."""
    config = {**NEEDED, **{f"{PREFIX}{name.upper()}": value for name, value in values.items()}}
    return read_settings(config, secret_keys=[SECRET])


def made(**values: Any) -> Any:
    """Make the core, too."""
    return read(**values).auth(
        storage=MemoryStorage(), mailer=ListMailer(), hasher=CountingHasher()
    )


def refusal(**values: Any) -> str:
    """Return why these values are refused, in one error of ours."""
    with pytest.raises(ConfigurationError) as caught:
        made(**values)
    return str(caught.value)


class TestReadSettings:
    def test_needed(self) -> None:
        """Three keys are all that is needed."""
        settings = read()

        assert (BASE_URL, "École des Tilleuls", "portal.dashboard", (SECRET,)) == (
            settings.base_url,
            settings.school_name,
            settings.dashboard,
            settings.secret_keys,
        )
        assert made().site.base_url == BASE_URL

    @pytest.mark.parametrize("key", NEEDED)
    @pytest.mark.parametrize("value", [None, "", 5])
    def test_missing(self, key: str, value: object) -> None:
        """What is missing is named, with how to set it."""
        with pytest.raises(ConfigurationError, match=f"{key} is missing or no text; set "):
            read_settings({**NEEDED, key: value}, secret_keys=[SECRET])

    @pytest.mark.parametrize(
        ("key", "meant"),
        [
            ("PARENTAUTH_BASEURL", "PARENTAUTH_BASE_URL"),
            ("PARENTAUTH_SECRET_KEY", "PARENTAUTH_SECRET_KEYS"),
            ("PARENTAUTH_SCHOOL_PHONE", "PARENTAUTH_SCHOOL_TELEPHONE"),
            ("PARENTAUTH_TTL", "PARENTAUTH_RESET_TTL"),
            ("PARENTAUTH_TRUSTED_PROXY", "PARENTAUTH_TRUSTED_PROXIES"),
        ],
    )
    def test_unknown(self, key: str, meant: str) -> None:
        """A mistyped key is an error that names the nearest one."""
        with pytest.raises(ConfigurationError, match=f"{key}; did you mean {meant}?"):
            read_settings({**NEEDED, key: "x"}, secret_keys=[SECRET])

    @given(st.text(alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZ_", max_size=30))
    def test_any_unknown(self, name: str) -> None:
        """Every key that begins like ours and is none is an error; others are not looked at."""
        if name.lower() not in NAMES:
            with pytest.raises(ConfigurationError, match="did you mean PARENTAUTH_"):
                read_settings({**NEEDED, f"{PREFIX}{name}": 1}, secret_keys=[SECRET])
        assert read_settings({**NEEDED, f"HOST_{name}": 1}, secret_keys=[SECRET]) == read()

    def test_none_is_the_default(self) -> None:
        """None stands for: not set."""
        assert read() == read(locale=None, sender=None, reset_ttl=None, paths=None)

    def test_own_keys(self) -> None:
        """Own secret keys stand before the host's."""
        assert ("x" * 40,) == read(secret_keys=["x" * 40]).secret_keys

    def test_secrets_are_not_shown(self) -> None:
        """No key shows in a repr."""
        assert SECRET not in repr(read())


class TestDurations:
    @pytest.mark.parametrize("value", [timedelta(hours=2), 7200, 7200.0])
    def test_seconds(self, value: object) -> None:
        """A duration is a timedelta or a number of seconds."""
        assert timedelta(hours=2) == read(session_idle=value).session_idle

    @pytest.mark.parametrize(
        "name", ["first_login_ttl", "reset_ttl", "session_idle", "session_absolute"]
    )
    @pytest.mark.parametrize(
        "value",
        ["14 days", True, [1], b"1", float("nan"), float("inf"), -1, 0, 1e18, timedelta(0)],
    )
    def test_wrong(self, name: str, value: object) -> None:
        """What is no duration, or an impossible one, is told with the setting's name."""
        problem = refusal(**{name: value})

        assert name in problem.lower() or "session limits" in problem

    @pytest.mark.parametrize(
        "value", [5, "2,8", (1,), (1, 2, 3), (8, 2), (-1, 2), (1, "x"), (), {"a": 1}]
    )
    def test_reset_delay(self, value: object) -> None:
        """The delay is a pair, the shorter first."""
        assert "reset_delay" in refusal(reset_delay=value).lower()

    def test_reset_delay_right(self) -> None:
        """A pair may be of numbers or timedeltas."""
        expected = (timedelta(seconds=1), timedelta(seconds=2))

        assert expected == read(reset_delay=[1, timedelta(seconds=2)]).reset_delay


class TestKinds:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("base_url", "/portal"),
            ("base_url", "portail.ecole.be"),
            ("base_url", "http://portail.ecole.be"),
            ("base_url", "https://portail.ecole.be?x=1"),
            ("school_name", "  "),
            ("school_telephone", 25551234),
            ("school_address", ["Rue"]),
            ("school_timezone", "Mars/Olympus"),
            ("school_timezone", 1),
            ("locale", "xx"),
            ("locale", 1),
            ("sender", "no address"),
            ("sender", 1),
            ("stylesheet", 1),
            ("no_child", 1),
            ("url_prefix", "parents"),
            ("url_prefix", "/parents/"),
            ("url_prefix", 1),
            ("paths", "x"),
            ("paths", {"login": "connexion"}),
            ("paths", {"login": 1}),
            ("paths", {"signin": "/x"}),
            ("paths", ["/x"]),
            ("secret_keys", "x" * 40),
            ("secret_keys", 5),
            ("secret_keys", []),
            ("secret_keys", ["short"]),
            ("secret_keys", [5]),
            ("password_minimum", 7),
            ("password_minimum", "15"),
            ("password_minimum", True),
            ("hashes_at_once", 0),
            ("hashes_at_once", -1),
            ("hashes_at_once", "2"),
            ("reset_pace", 0),
            ("reset_pace", "300"),
            ("trusted_proxies", "1"),
            ("trusted_proxies", -1),
            ("trusted_proxies", True),
            ("exempt_networks", "192.0.2.0/24"),
            ("exempt_networks", 5),
            ("exempt_networks", ["here"]),
            ("exempt_networks", [None]),
            ("not_before", "2026-11-24"),
            ("not_before", 5),
            ("not_before", datetime(2026, 11, 24)),  # noqa: DTZ001  the point
        ],
    )
    def test_wrong(self, name: str, value: object) -> None:
        """A value of the wrong kind stops the start with one error that names the setting."""
        problem = refusal(**{name: value}).lower()

        known = {"locale": "no texts", "paths": "path 'login'", "school_timezone": "time zone"}
        assert name in problem or name.rpartition("_")[2] in problem or known[name] in problem

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("base_url", "https://ecole.be/portail/"),
            ("base_url", "http://127.0.0.1:5000"),
            ("school_timezone", "Europe/Paris"),
            ("locale", "en"),
            ("url_prefix", "/parents"),
            ("paths", {"login": "/connexion"}),
            ("password_minimum", 20),
            ("hashes_at_once", 1),
            ("reset_pace", 1),
            ("trusted_proxies", 2),
            ("exempt_networks", ["192.0.2.0/24", "2001:db8::/32"]),
            ("not_before", datetime(2026, 11, 24, tzinfo=UTC)),
        ],
    )
    def test_right(self, name: str, value: object) -> None:
        """And what is right starts."""
        assert made(**{name: value})


class TestHostPages:
    @pytest.mark.parametrize("name", ["dashboard", "no_child", "stylesheet", "school_logo"])
    @pytest.mark.parametrize(
        "target", ["//evil.example/{child_id}", "https://evil.example", "/\\e"]
    )
    def test_elsewhere(self, name: str, target: str) -> None:
        """Parents are sent to no other site, and nothing is loaded from one."""
        assert f"{PREFIX}{name.upper()} must be of this site" in refusal(**{name: target})

    @pytest.mark.parametrize("name", ["stylesheet", "school_logo"])
    def test_relative(self, name: str) -> None:
        """A picture or a stylesheet is named by a path that means the same on every page."""
        assert "one slash" in refusal(**{name: "logo.svg"})

    def test_no_child_named(self) -> None:
        """A dashboard that is a path says where the child comes in."""
        assert "names no child" in refusal(dashboard="/enfants/")

    @pytest.mark.parametrize("target", ["portal.dashboard", "portal:dashboard", "/e/{child_id}"])
    def test_taken(self, target: str) -> None:
        """Endpoints of either framework are taken as they are, and paths with a child."""
        assert target == read(dashboard=target).dashboard
