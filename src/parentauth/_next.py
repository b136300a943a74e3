"""Where to go after signing in: a path of this site, or nothing."""

from typing import Final
from urllib.parse import quote

NEXT_MAX: Final = 2048
# What a path may hold as it is (RFC 3986, 3.3).
_PATH: Final = "!$&'()*+,/:;=@"


def safe_next(text: str | None) -> str | None:
    r"""
    Return *text* if every browser reads it as a path of the same site.

    Browsers take ``\`` for ``/``, drop tabs and line ends, and read ``//host`` as another
    site; so only printable ASCII, one slash first, and no backslash at all.

    Source:
        OWASP ASVS 5.0, 3.7.2.
    """
    if not text or len(text) > NEXT_MAX or not text.isascii() or not text.isprintable():
        return None
    if not text.startswith("/") or text.startswith("//") or "\\" in text or " " in text:
        return None
    return text


def asked_path(path: str, query: bytes = b"") -> str:
    """
    Return where to come back to: in ASCII, as a browser wrote it.

    Args:
        path: The whole path asked for, the mount of the application included.
        query: The query as it came.
    """
    path, rest = quote(path, safe=_PATH), quote(query, safe=f"{_PATH}?%")
    return f"{path}?{rest}" if rest else path
