"""Where the portal is, what its pages' paths are, and which school it belongs to."""

import ipaddress

from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from parentauth._addresses import read_address
from parentauth.exceptions import AddressError, ConfigurationError

NAME_MAX: Final = 100


def _mailbox(text: str) -> str:
    try:
        return read_address(text) if text else ""
    except AddressError:
        raise ConfigurationError(
            "school_email is no e-mail address; write one like 'secretariat@ecole.be'"
        ) from None


@attrs.frozen
class School:
    """
    The school as parents know it.

    Args:
        telephone: Shown on every page and in every mail, as the school writes it.
        address: Postal address, on one line.
        email: Of a person at school; replies to mails go there.
        logo: URL of a picture from the portal's own site, or empty: the name is shown.
        timezone: For dates in mails and pages.

    Raises:
        ConfigurationError: No name, or an unknown time zone.
    """

    name: str
    telephone: str = ""
    address: str = ""
    email: str = attrs.field(default="", converter=_mailbox)
    logo: str = ""
    timezone: str = "Europe/Brussels"

    def __attrs_post_init__(self) -> None:
        """Check what mails are made with: a mistake here would make each of them fail."""
        fits = self.name.strip() and self.name.isprintable() and len(self.name) <= NAME_MAX
        if not fits or "=?" in self.name:
            raise ConfigurationError(
                f"school_name: write up to {NAME_MAX} printable characters, without '=?'"
            )
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ConfigurationError(
                f"unknown time zone {self.timezone!r}; write one like 'Europe/Brussels'"
            ) from error

    @property
    def zone(self) -> ZoneInfo:
        """The school's time zone."""
        return ZoneInfo(self.timezone)


@attrs.frozen
class Paths:
    """
    The paths of the pages, below one *prefix*.

    Raises:
        ConfigurationError: A path does not begin with one slash, or ends with one.
    """

    prefix: str = ""
    login: str = "/login"
    token: str = "/token"
    password: str = "/password"
    password_change: str = "/password/change"
    forgot: str = "/forgot"
    children: str = "/children"
    logout: str = "/logout"
    well_known: str = "/.well-known/change-password"

    def __attrs_post_init__(self) -> None:
        """Check every path."""
        for name, path in attrs.asdict(self).items():
            if (path or name != "prefix") and not _is_path(path):
                raise ConfigurationError(
                    f"path {name!r} is {path!r}; write it like '/{name}': "
                    "one slash first, none last, no space, question mark or hash"
                )

        taken = [self.of(field.name) for field in attrs.fields(Paths) if field.name != "prefix"]
        twice = {path for path in taken if taken.count(path) > 1}
        if twice:
            raise ConfigurationError(f"two pages have the path {min(twice)!r}; change one")

    def of(self, page: str) -> str:
        """Return the path of *page* below the prefix; the well-known one stands apart."""
        path: str = getattr(self, page)
        return path if page == "well_known" else self.prefix + path


def _unslashed(url: str) -> str:
    return url.rstrip("/")


@attrs.frozen
class Site:
    """
    The portal's address, from configuration and never from a request.

    Args:
        base_url: ``https://portail.ecole.be``; plain http on loopback only.

    Raises:
        ConfigurationError: *base_url* is not such an address.

    Source:
        A link built from a request's Host header is how reset mails get poisoned
        (OWASP Forgot Password Cheat Sheet).
    """

    base_url: str = attrs.field(converter=_unslashed)
    paths: Paths = attrs.field(factory=Paths)

    def __attrs_post_init__(self) -> None:
        """Check the address."""
        problem = _base_url_problem(self.base_url)
        if problem:
            raise ConfigurationError(
                f"base_url {problem}; write it like 'https://portail.ecole.be' "
                "(plain http only for 127.0.0.1, ::1 and localhost)"
            )

    @property
    def is_secure(self) -> bool:
        """Tell whether the portal is served by https."""
        return self.base_url.startswith("https:")

    @property
    def host(self) -> str:
        """The host name alone."""
        return urlsplit(self.base_url).hostname or ""

    def url(self, page: str) -> str:
        """Return the full address of *page*."""
        return self.base_url + self.paths.of(page)

    def token_url(self, token: str) -> str:
        """Return the link that fills the token field."""
        return f"{self.url('token')}/{token}"


_UNSAFE: Final = frozenset("?#\\<>\"'{}%")


def _is_path(path: str) -> bool:
    return (
        path.startswith("/")
        and not path.startswith("//")
        and not path.endswith("/")
        and path.isascii()
        and path.isprintable()
        and " " not in path
        and _UNSAFE.isdisjoint(path)
    )


def _base_url_problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is not an address"
    if parts.scheme not in ("http", "https") or not host:
        return "is not absolute"
    if parts.query or parts.fragment or parts.username or parts.password or "@" in parts.netloc:
        return "has more than a host and a path"
    if not url.isascii() or not url.isprintable() or not _UNSAFE.isdisjoint(url) or " " in url:
        return "has characters that no address has"
    if parts.scheme == "http" and not is_loopback(host):
        return "is not encrypted"
    return None


def is_loopback(host: str) -> bool:
    """Tell whether *host* is this very machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
