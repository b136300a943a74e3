"""Who sent a request: its address after trusted proxies, and whether another site made it."""

from typing import Final
from urllib.parse import urlsplit

_PORTS: Final = {"http": 80, "https": 443}


def client_address(remote: str | None, forwarded_for: str | None, *, trusted: int) -> str | None:
    """
    Return the client's IP address.

    Args:
        remote: The address at the other end of the socket.
        forwarded_for: All ``X-Forwarded-For`` values, joined by commas.
        trusted: How many proxies of the host's own stand before the portal; each appends one
            address, so that only that many, from the right, can be believed.

    Source:
        OWASP ASVS 5.0, 4.1.3.  Trusting the leftmost lets anybody choose a fresh address for
        each guess.
    """
    if trusted < 1:
        return remote
    hops = [hop.strip() for hop in (forwarded_for or "").split(",") if hop.strip()]
    return _without_port(hops[-trusted]) if len(hops) >= trusted else remote


def _without_port(hop: str) -> str:
    """Read ``203.0.113.9:5123`` and ``[2001:db8::1]:5123``, as some proxies write."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def is_cross_site(
    *, fetch_site: str | None, origin: str | None, host: str | None, base_url: str
) -> bool:
    """
    Tell whether a browser says that another site sent this form.

    Args:
        fetch_site: ``Sec-Fetch-Site``.
        origin: ``Origin``.
        host: ``Host``, which a browser fills in and a page can't choose.

    Source:
        OWASP ASVS 5.0, 3.5.1; beside the CSRF token, not instead of it.
    """
    if fetch_site is not None:
        return fetch_site not in ("same-origin", "none")
    if origin is None:
        return False
    scheme = urlsplit(base_url).scheme
    try:
        return _origin(origin) not in (_origin(base_url), _origin(f"{scheme}://{host}"))
    except ValueError:
        return True


def _origin(address: str) -> tuple[str, str, int | None]:
    """Read scheme, host and port; "null" is none."""
    parts = urlsplit(address)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("no origin")
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]
