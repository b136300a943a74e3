"""
A host's configuration, read once: for the authors of framework adapters.

A mistyped key is an error that names the nearest one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any, Final

import attrs

from parentauth._auth import ParentAuth
from parentauth._codec import check_secret_keys
from parentauth._passwords import PasswordPolicy
from parentauth._site import Paths, School
from parentauth.exceptions import ConfigurationError

__all__ = ["PREFIX", "Settings", "host_keys", "read_settings"]

#: What every key of ours begins with.
PREFIX: Final = "PARENTAUTH_"


@attrs.frozen
class Settings:
    """
    What a host's configuration says, each as ``PARENTAUTH_`` and its name in capitals.

    Args:
        dashboard: Endpoint that takes ``child_id``, or a path with ``{child_id}`` in it.
        no_child: Endpoint or path of the host's page for a parent without child.
        stylesheet: Path of a stylesheet that is loaded after ours.
        secret_keys: Default: the host's own.
        trusted_proxies: How many proxies of the host's own append to ``X-Forwarded-For``;
            0 where the framework's own proxy support is in use.
        reset_pace: At most so many reset mails a minute, over all; the rest wait.
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
    trusted_proxies: int = 0
    reset_pace: int = 300
    not_before: datetime | None = None

    def auth(self, **ports: Any) -> ParentAuth:  # noqa: ANN401  ParentAuth's own, each typed there
        """
        Make the core.

        Args:
            ports: ``storage``, ``mailer`` and whatever else :class:`parentauth.ParentAuth` takes.

        Raises:
            ConfigurationError: A setting is unsafe; the text names the cure.
        """
        try:
            return ParentAuth(
                secret_keys=self.secret_keys,
                base_url=self.base_url,
                school=self._school(),
                paths=_paths(self.url_prefix, self.paths),
                policy=PasswordPolicy(minimum=self.password_minimum),
                **{name: getattr(self, name) for name in _PASSED},
                **ports,
            )
        except ConfigurationError as error:
            raise ConfigurationError(_in_host_words(str(error))) from None

    def _school(self) -> School:
        names = [field.name for field in attrs.fields(School)]
        return School(**{name: getattr(self, f"school_{name}") for name in names})


def _in_host_words(text: str) -> str:
    """Call a setting, where the sentence begins with one, by the name that the host gave it."""
    first = text.split(maxsplit=1)[0].rstrip(":,")
    known = first in {field.name for field in attrs.fields(Settings)}
    return f"{PREFIX}{first.upper()}{text.removeprefix(first)}" if known else text


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
    "reset_pace",
    "not_before",
)


def read_settings(config: Mapping[str, Any], *, secret_keys: Iterable[str | bytes]) -> Settings:
    """
    Read the keys of a configuration that begin with :data:`PREFIX`.

    Args:
        secret_keys: The host's own, the newest first, where ``PARENTAUTH_SECRET_KEYS`` is
            not set.

    Raises:
        ConfigurationError: A key is unknown, missing or of the wrong kind.
    """
    fields = {f"{PREFIX}{field.name.upper()}": field for field in attrs.fields(Settings)}
    found = {key: value for key, value in config.items() if key.startswith(PREFIX)}
    for key in found.keys() - fields.keys():
        near = get_close_matches(key, fields, n=1, cutoff=0.0)[0]
        raise ConfigurationError(f"unknown setting {key}; did you mean {near}?")
    values = {fields[key].name: value for key, value in found.items() if value is not None}
    host_keys = _checked(secret_keys)
    values.setdefault("secret_keys", host_keys)
    for name, cure in _CURES.items():
        if not isinstance(values.get(name, ""), str) or not values.get(name):
            raise ConfigurationError(f"{PREFIX}{name.upper()} is missing or no text; {cure}")
    settings = Settings(**{name: _converted(name, value) for name, value in values.items()})
    _check_paths(settings)
    return settings


def _check_paths(settings: Settings) -> None:
    """Refuse what browsers would take for another site, and a dashboard of no child."""
    for name in ("dashboard", "no_child", "stylesheet", "school_logo"):
        target = getattr(settings, name) or ""
        elsewhere = target.startswith("//") or "://" in target or "\\" in target
        relative = name in ("stylesheet", "school_logo") and target and not target.startswith("/")
        if elsewhere or relative:
            raise ConfigurationError(
                f"{PREFIX}{name.upper()} must be of this site; begin its path with one slash"
            )
    if settings.dashboard.startswith("/") and "{child_id}" not in settings.dashboard:
        raise ConfigurationError(
            f"{PREFIX}DASHBOARD names no child; write it like '/children/{{child_id}}'"
        )


def host_keys(
    key: str | bytes | None, fallbacks: Iterable[str | bytes] | None
) -> Sequence[str | bytes]:
    """
    Return a framework's own keys, the newest first.

    Raises:
        ConfigurationError: There is none, and the framework guards forms with it.
    """
    if not key:
        raise ConfigurationError(
            "SECRET_KEY is missing, and forms are guarded with it; set it to the outcome of "
            "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return [key, *(each for each in fallbacks or () if each)]


_CURES: Final = {
    "base_url": "set the portal's own address, like 'https://portail.ecole.be'",
    "school_name": "set the school's name, as parents know it",
    "dashboard": "set the endpoint of a child's page, which takes child_id",
}


def _checked(keys: Iterable[str | bytes]) -> Sequence[str]:
    """Return the host's keys as texts; they guard forms, too, so each is held to the same rules."""
    texts = [key.decode("latin-1") if isinstance(key, bytes) else key for key in keys]
    if texts:
        try:
            check_secret_keys(texts)
        except ConfigurationError as error:
            name = "SECRET_KEY (with its fallbacks)"
            raise ConfigurationError(str(error).replace("secret_keys", name, 1)) from None
    return texts


def _converted(name: str, value: Any) -> Any:  # noqa: ANN401  whatever a configuration holds
    read, kind = _KINDS[_TYPES[name]]
    try:
        converted = read(value)
    except (TypeError, ValueError, OverflowError):
        raise ConfigurationError(f"{PREFIX}{name.upper()} must be {kind}") from None
    if isinstance(converted, int) and converted < _LEAST.get(name, 1):
        raise ConfigurationError(f"{PREFIX}{name.upper()} must be at least {_LEAST.get(name, 1)}")
    return converted


def _a(*kinds: type) -> Callable[[Any], Any]:
    def read(value: object) -> object:
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise TypeError
        return value

    return read


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    return timedelta(seconds=_a(int, float)(value))


def _two_durations(value: Any) -> tuple[timedelta, timedelta]:  # noqa: ANN401  the same
    shortest, longest = _a(tuple, list)(value)
    return _duration(shortest), _duration(longest)


def _texts(value: Any) -> tuple[str, ...]:  # noqa: ANN401  the same
    return tuple(_a(str)(text) for text in _a(tuple, list, set, frozenset)(value))


def _paths_by_page(value: Any) -> Mapping[str, str]:  # noqa: ANN401  the same
    return {_a(str)(page): _a(str)(path) for page, path in _a(Mapping)(value).items()}


_TYPES: Final = {field.name: field.type for field in attrs.fields(Settings)}
_KINDS: Final[Mapping[Any, tuple[Callable[[Any], Any], str]]] = {
    str: (_a(str), "a text"),
    str | None: (_a(str), "a text"),
    int: (_a(int), "a whole number"),
    int | None: (_a(int), "a whole number"),
    timedelta: (_duration, "a timedelta or a number of seconds"),
    tuple[timedelta, timedelta]: (_two_durations, "two timedeltas or numbers of seconds"),
    tuple[str, ...]: (_texts, "a list of texts"),
    Mapping[str, str]: (_paths_by_page, "a mapping of pages to paths"),
    datetime | None: (_a(datetime), "a datetime with a time zone"),
}
_LEAST: Final = {"trusted_proxies": 0}


def _paths(prefix: str, paths: Mapping[str, str]) -> Paths:
    known = [field.name for field in attrs.fields(Paths) if field.name != "prefix"]
    for name in paths:
        if name not in known:
            raise ConfigurationError(
                f"{PREFIX}PATHS: unknown page {name!r}; pages are {', '.join(known)}"
            )
    return Paths(prefix=prefix, **paths)
