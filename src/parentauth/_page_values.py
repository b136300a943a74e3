"""What goes into the page flow and what comes out of it: no framework, no socket."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import attrs

from parentauth._model import Child

Context = dict[str, Any]

# OWASP ASVS 5.0, 3.4.3 to 3.4.8 and 14.3.2.  Never "no-referrer": it makes Chromium send
# "Origin: null" with a form of the same site, which CSRF protection then refuses.
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Links(Protocol):
    """How an adapter turns names into addresses; external ones never come from here."""

    def page(self, name: str, /, **query: str) -> str:
        """
        Return the path of a page: ``login``, ``token``, ``password``, ``forgot`` ...

        Args:
            query: Appended where it is not empty.
        """
        ...

    def static(self, name: str, /) -> str:
        """Return the path of a file of ours: ``parentauth.css``, ``parentauth.js``."""
        ...

    def extra_stylesheet(self) -> str:
        """Return the address of the host's own stylesheet, or empty."""
        ...

    def dashboard(self, child: Child) -> str:
        """Return the host's page of a child."""
        ...

    def no_child(self) -> str | None:
        """Return the host's page for a parent without child, or None: ours is shown."""
        ...

    def check(self) -> None:
        """Find out whether the host's pages are there."""
        ...


def _no_csrf() -> tuple[str, str]:
    return "", ""


@attrs.frozen
class PageRequest:
    """
    One request, as an adapter read it.

    Args:
        form: The body's fields, each with all its values; the query is never mixed in.
        query: The query's fields, each with all its values.
        session_id: The session cookie's value; None if it came twice.
        language: The language cookie's value.
        address: The client's IP address, after trusted proxies (:func:`client_address`).
        fetch_site: ``Sec-Fetch-Site``; with *origin* and *host* it tells other sites' forms.
        csrf: Gives the name and value of the hidden field that the host's protection wants.
        flashes: Takes the texts that an earlier response left for this page.
    """

    method: str
    links: Links
    form: Mapping[str, Sequence[str]] = attrs.field(factory=dict, repr=False)
    query: Mapping[str, Sequence[str]] = attrs.field(factory=dict, repr=False)
    session_id: str | None = attrs.field(default=None, repr=False)
    device: str | None = attrs.field(default=None, repr=False)
    language: str | None = None
    accept_language: str | None = None
    address: str | None = None
    fetch_site: str | None = None
    origin: str | None = None
    host: str | None = None
    csrf: Callable[[], tuple[str, str]] = _no_csrf
    flashes: Callable[[], Sequence[str]] = tuple


@attrs.frozen
class Cookie:
    """
    A cookie to set: HttpOnly, SameSite=Lax, Path=/, no Domain; Secure on https.

    Args:
        value: None removes the cookie.
        max_age: Seconds, or None: until the browser closes.
    """

    name: str
    value: str | None = attrs.field(repr=False)
    secure: bool
    max_age: int | None = None

    def attributes(self) -> Context:
        """Return what ``set_cookie()`` takes, in Werkzeug and in Django."""
        return {
            "key": self.name,
            "value": self.value or "",
            "max_age": 0 if self.value is None else self.max_age,
            "secure": self.secure,
            "httponly": True,
            "samesite": "Lax",
            "path": "/",
        }


@attrs.frozen
class Show:
    """
    Render a template.

    Args:
        template: Below ``parentauth/``, with its ending.
        context: Ready-translated texts and plain values.
    """

    template: str
    context: Context = attrs.field(repr=False)
    status: int = 200
    cookies: tuple[Cookie, ...] = ()
    headers: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Redirect:
    """
    Answer 303.

    Args:
        location: A path of this site.
        flash: A text for whichever page comes next, the host's own too; or empty.
    """

    location: str = attrs.field(repr=False)
    flash: str = ""
    cookies: tuple[Cookie, ...] = ()
    headers: Mapping[str, str] = attrs.field(factory=dict)


Outcome = Show | Redirect


@attrs.frozen
class CookieNames:
    """
    The names of our cookies, with the ``__Host-`` prefix on https.

    Source:
        OWASP ASVS 5.0, 3.3.1 and 3.3.3.
    """

    secure: bool

    @property
    def session(self) -> str:
        """The signed-in parent's opaque id."""
        return self._name("parentauth")

    @property
    def device(self) -> str:
        """The remembered device."""
        return self._name("parentauth-device")

    @property
    def language(self) -> str:
        """The language chosen in the menu."""
        return self._name("parentauth-lang")

    def _name(self, name: str) -> str:
        return f"__Host-{name}" if self.secure else name
