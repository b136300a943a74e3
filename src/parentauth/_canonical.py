"""
Canonical keys: when two usernames, addresses or ids are the same.

Only these functions decide that.  Storages compare what they return, byte for
byte, so that no database's collation can call two different parents equal.
"""

import hashlib
import unicodedata

from typing import Final

USERNAME_MAX: Final = 150


def username_key(username: str) -> str:
    """
    Return the canonical form of *username*: trimmed, NFKC, without case.

    Source:
        The parent types it on a phone: capitals and blanks must not matter.
    """
    key = username
    # Folding may undo the normalisation of a few letters, hence the second round.
    for _ in range(2):
        key = unicodedata.normalize("NFKC", key).strip().casefold()
    return unicodedata.normalize("NFKC", key).strip()


def email_key(address: str) -> str:
    """
    Return the canonical form of an address: the whole of it in lower case.

    *address* is ASCII by then, so that ``lower()`` folds A to Z and nothing
    else: no ``ı`` becomes an ``i``.
    """
    return address.lower()


def digest(domain: str, text: str) -> str:
    """Return 64 hexadecimal digits that stand for *text* in *domain*."""
    data = f"parentauth/{domain}/v1:{text}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(data).hexdigest()
