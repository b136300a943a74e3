"""
The connection token as text: 128 random bits and a 32-bit keyed check, in 32 characters.

The random bits are the security.  The check refuses typing errors and garbage before the
storage is asked; nothing is decided by it alone.
"""

import re

from collections.abc import Sequence
from hashlib import sha256
from hmac import compare_digest
from typing import Final

from itsdangerous import Signer
from itsdangerous.signer import HMACAlgorithm

from parentauth.exceptions import ConfigurationError

RANDOM_BYTES: Final = 16
TEXT_MAX: Final = 2048
KEY_BYTES_MIN: Final = 32

_CHECK_BYTES: Final = 4
_DOMAIN: Final = b"parentauth/token/v1"
_LENGTH: Final = 32
_GROUP: Final = 4
# Crockford's digits, and those by which int() counts to 32.
_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PYTHON: Final = "0123456789abcdefghijklmnopqrstuv"
_PAIRS: Final = tuple(high + low for high in _CROCKFORD for low in _CROCKFORD)
_SHIFTS: Final = range(150, -1, -10)

_ALGORITHM: Final = HMACAlgorithm(sha256)


class TokenCodec:
    """
    Writes and reads connection tokens.

    Args:
        secret_keys: The newest first: it signs, all of them verify.

    Raises:
        ConfigurationError: As :func:`check_secret_keys` says.

    Source:
        OWASP ASVS 5.0, 6.5.3 and 11.5.1: 128 bits from a secure generator, which the caller
        brings.  OWASP ASVS 5.0, 11.4.1: HMAC with SHA-256, where itsdangerous defaults to SHA-1.

    .. versionadded:: 26.1.0
    """

    __slots__ = ("_keys",)

    def __init__(self, secret_keys: Sequence[str]) -> None:
        # itsdangerous wants the oldest first; deriving costs as much as a check, so do it once.
        oldest_first = check_secret_keys(secret_keys)[::-1]
        signer = Signer(oldest_first, salt=_DOMAIN, key_derivation="hmac", digest_method=sha256)
        self._keys = tuple(signer.derive_key(key) for key in reversed(signer.secret_keys))

    def __repr__(self) -> str:
        return f"<TokenCodec with {len(self._keys)} key(s)>"

    def issue(self, random: bytes) -> str:
        """
        Write 16 random bytes as a token of 32 characters, all letters and digits.

        Raises:
            ValueError: They are not 16 bytes.
        """
        if len(random) != RANDOM_BYTES:
            raise ValueError(f"a token is made of {RANDOM_BYTES} random bytes")
        number = int.from_bytes(random + _check(self._keys[0], random), "big")
        return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])

    def read(self, text: str) -> bytes | None:
        """
        Return the 16 random bytes, or None: no token, or its check is wrong under every key.

        Read with upper or lower case, I and L as 1, O as 0, with spaces, line breaks,
        hyphens, quotes, brackets and invisible characters anywhere, a final full stop, or as
        the last part of a pasted link.  At most 2,048 characters; U is in no token.
        """
        digits = _digits(text) if len(text) <= TEXT_MAX else None
        if digits is None:
            return None
        data = int(digits, 32).to_bytes(RANDOM_BYTES + _CHECK_BYTES, "big")
        random, check = data[:RANDOM_BYTES], data[RANDOM_BYTES:]
        right = any(compare_digest(check, _check(key, random)) for key in self._keys)
        return random if right else None

    @staticmethod
    def digest(random: bytes) -> str:
        """
        Return what is kept of a token: 64 hexadecimal digits.

        Source:
            NIST SP 800-63B-4, 3.1.2.2: a plain hash is right for secrets of 112 bits and more.
        """
        return sha256(_DOMAIN + b":" + random).hexdigest()


def grouped(token: str) -> str:
    """Return a token as it is shown and printed: 8 groups of 4, joined by hyphens."""
    return "-".join(token[start : start + _GROUP] for start in range(0, len(token), _GROUP))


def _check(key: bytes, random: bytes) -> bytes:
    return _ALGORITHM.get_signature(key, random)[:_CHECK_BYTES]


# -- What people and mail programs make of a token


def _span(first: int, last: int) -> str:
    return "".join(map(chr, range(first, last + 1)))


_BLANKS: Final = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + _span(0x2000, 0x200A)
# Soft hyphens, joiners, marks of direction, variation selectors, the byte order mark.
_INVISIBLE: Final = (
    "\xad\u034f\u061c\u180e\ufeff"
    + _span(0x200B, 0x200F)
    + _span(0x202A, 0x202E)
    + _span(0x2060, 0x206F)
    + _span(0xFE00, 0xFE0F)
)
_HYPHENS: Final = "-\u058a\u05be\u2043\u2212\u2e3a\u2e3b\ufe58\ufe63\uff0d" + _span(0x2010, 0x2015)
_QUOTES: Final = "\"'`\xab\xbb\u2039\u203a\u300c\u300d\uff02\uff07" + _span(0x2018, 0x201F)
_BRACKETS: Final = "()[]{}<>\u2329\u232a\u27e8\u27e9\uff08\uff09" + _span(0x3008, 0x300B)
_FINAL: Final = ".,;:/"

_FOLDED: Final = str.maketrans(
    (_CROCKFORD + _CROCKFORD.lower() + "IiLlOo" + "Uu"),
    # int() would take U for a digit of its own.
    (_PYTHON + _PYTHON + "111100" + "**"),
    _BLANKS + _INVISIBLE + _HYPHENS + _QUOTES + _BRACKETS,
)


def _digits(text: str) -> str | None:
    """Return 32 digits for int(), or None."""
    folded = text.translate(_FOLDED)
    if len(folded) != _LENGTH:
        path = folded.partition("?")[0].partition("#")[0]
        folded = path.rstrip(_FINAL).rpartition("/")[2]
    # int() would also take "_", a sign, and the digits of every script.
    right = len(folded) == _LENGTH and folded.isascii() and folded.isalnum()
    return folded if right else None


# -- The secrets


_CURE: Final = 'make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'
_DISTINCT_MIN: Final = 8
_OWN_MIN: Final = 16
# What stands in documentation and examples, and what hands type; the longer before its beginning.
_EXAMPLES: Final = re.compile(
    "abcdefghijklmnopqrstuvwxyz|0123456789|1234567890|123456789|12345678"
    "|azertyuiop|qwertyuiop|qwertzuiop|azerty|qwerty|motdepasse|wachtwoord|password|passwort"
    "|parentauth|production|prod|development|dev|characters|django|flask|testing|test|demo"
    "|example|exemple|geheim|secret|secure|insecure|string|super|token|random|bytes|value"
    "|changeme|changed|change|replace|please|default|should|least|long|more|must|keep|safe|some"
    "|that|this|they|the|text|very|with|your|our|here|and|any|for|key|not|top|use|at|be|in|is|it"
    "|me|my|of|or|to|a"
)
_SEPARATORS: Final = str.maketrans("", "", "-_ .")


def check_secret_keys(keys: Sequence[str]) -> tuple[str, ...]:
    """
    Return *keys* if they may guard tokens and cookies.

    Raises:
        ConfigurationError: None was given, or one text instead of a list, or a key is shorter
            than 32 bytes, repeats itself, or is an example from some documentation.  The
            text names the cure and never contains a key.

    Source:
        OWASP ASVS 5.0, 6.3.2: no secret ships by default.
    """
    if isinstance(keys, (str, bytes)):
        raise ConfigurationError("secret_keys is one text; give a list: secret_keys=[...]")
    given = tuple(keys or ())
    if not given:
        raise ConfigurationError(f"secret_keys is empty; {_CURE}")
    for number, key in enumerate(given, 1):
        fault = _fault(key)
        if fault is not None:
            raise ConfigurationError(f"secret_keys, key {number}: {fault}; {_CURE}")
    return given


def _fault(key: object) -> str | None:
    if not isinstance(key, str):
        return "it is not text"
    data = key.encode("utf-8", "ignore")
    if data.decode() != key:
        return "it contains half a character"
    if len(data) < KEY_BYTES_MIN:
        return f"it is shorter than {KEY_BYTES_MIN} bytes"
    if _repeats(key):
        return "it repeats few characters"
    return "it is an example" if _repeats(_own(key)) else None


def _repeats(text: str) -> bool:
    """Tell whether few characters, or a short text over and over, make up the whole."""
    few = len(text) < _OWN_MIN or len(set(text)) < _DISTINCT_MIN
    return few or any(text[period:] == text[:-period] for period in range(1, _OWN_MIN))


def _own(key: str) -> str:
    """Return what a key has of its own, beside examples and their padding."""
    return _EXAMPLES.sub("", key.casefold().translate(_SEPARATORS))
