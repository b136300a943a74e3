"""Reads every ``PARENTAUTH_*`` key once, and names the nearest one for a mistyped key."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any, Final

import attrs

from parentauth import PasswordPolicy, Paths, School
from parentauth.exceptions import ConfigurationError

PREFIX: Final = "PARENTAUTH_"


@attrs.frozen
class Settings:
    """
    What an application's configuration says, each as ``PARENTAUTH_`` and its name in capitals.

    Args:
        dashboard: Endpoint that takes ``child_id``, or a path with ``{child_id}`` in it.
        no_child: Endpoint or path of the host's page for a parent without child.
        stylesheet: Path of a stylesheet that is loaded after ours.
        secret_keys: Default: ``SECRET_KEY`` and ``SECRET_KEY_FALLBACKS``.
        session_idle: Like all durations a timedelta, or a number of seconds.
    """

    base_url: str
    school_name: str
    dashboard: str
    secret_keys: tuple[str, ...] = attrs.field(repr=False)
    no_child: str | None = None
    stylesheet: str = ""
    school_telephone: str = ""
    school_address: str = ""
    school_email: str = ""
    school_logo: str = ""
    school_timezone: str = "Europe/Brussels"
    url_prefix: str = ""
    paths: Mapping[str, str] = attrs.field(factory=dict)
    locale: str = "fr"
    sender: str | None = None
    password_minimum: int = 15
    first_login_ttl: timedelta = timedelta(days=14)
    reset_ttl: timedelta = timedelta(days=14)
    session_idle: timedelta = timedelta(minutes=60)
    session_absolute: timedelta = timedelta(hours=12)
    reset_delay: tuple[timedelta, timedelta] = (timedelta(seconds=2), timedelta(seconds=8))
    exempt_networks: tuple[str, ...] = ()
    hashes_at_once: int | None = None
    not_before: datetime | None = None

    def core(self) -> dict[str, Any]:
        """Return what :class:`parentauth.ParentAuth` takes of it."""
        return {
            "secret_keys": self.secret_keys,
            "base_url": self.base_url,
            "school": School(
                name=self.school_name,
                telephone=self.school_telephone,
                address=self.school_address,
                email=self.school_email,
                logo=self.school_logo,
                timezone=self.school_timezone,
            ),
            "paths": _paths(self.url_prefix, self.paths),
            "policy": PasswordPolicy(minimum=self.password_minimum),
            **{name: getattr(self, name) for name in _PASSED},
        }


_PASSED: Final = (
    "locale",
    "sender",
    "first_login_ttl",
    "reset_ttl",
    "session_idle",
    "session_absolute",
    "reset_delay",
    "exempt_networks",
    "hashes_at_once",
    "not_before",
)
_DURATIONS: Final = ("first_login_ttl", "reset_ttl", "session_idle", "session_absolute")


def read_settings(config: Mapping[str, Any]) -> Settings:
    """
    Read an application's configuration.

    Raises:
        ConfigurationError: A key is unknown, missing or of the wrong kind.
    """
    names = {f"{PREFIX}{field.name.upper()}": field for field in attrs.fields(Settings)}
    values = {}
    for key, value in config.items():
        if key.startswith(PREFIX):
            if key not in names:
                raise ConfigurationError(_unknown(key, names))
            if value is not None:
                values[names[key].name] = value
    values.setdefault("secret_keys", _host_keys(config))
    for key, field in names.items():
        if field.default is attrs.NOTHING and field.name not in values:
            raise ConfigurationError(f"{key} is missing; {_CURES[field.name]}")
    return Settings(**{name: _converted(name, value) for name, value in values.items()})


_CURES: Final = {
    "base_url": "set the portal's own address, like 'https://portail.ecole.be'",
    "school_name": "set the school's name, as parents know it",
    "dashboard": "set the endpoint of a child's page, which takes child_id",
}


def _unknown(key: str, names: Mapping[str, Any]) -> str:
    near = get_close_matches(key, names, n=1, cutoff=0.0)
    return f"unknown setting {key}; did you mean {near[0]}?"


def _host_keys(config: Mapping[str, Any]) -> tuple[str, ...]:
    keys = (config.get("SECRET_KEY"), *(config.get("SECRET_KEY_FALLBACKS") or ()))
    return tuple(key.hex() if isinstance(key, bytes) else key for key in keys if key)


def _converted(name: str, value: Any) -> Any:  # noqa: ANN401  whatever a configuration holds
    if name in _DURATIONS:
        return _duration(name, value)
    if name == "reset_delay":
        return tuple(_duration(name, part) for part in value)
    if name == "secret_keys" and not isinstance(value, str):
        return tuple(value)
    if name == "exempt_networks":
        return (value,) if isinstance(value, str) else tuple(value)
    if name in ("base_url", "school_name", "dashboard") and not isinstance(value, str):
        raise ConfigurationError(f"{PREFIX}{name.upper()} must be text")
    return value


def _duration(name: str, value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return timedelta(seconds=value)
    raise ConfigurationError(f"{PREFIX}{name.upper()} must be a timedelta or seconds")


def _paths(prefix: str, paths: Mapping[str, str]) -> Paths:
    known = [field.name for field in attrs.fields(Paths) if field.name != "prefix"]
    for name in paths:
        if name not in known:
            raise ConfigurationError(
                f"{PREFIX}PATHS: unknown page {name!r}; pages are {', '.join(known)}"
            )
    return Paths(prefix=prefix, **paths)
