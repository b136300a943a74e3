"""
What parents read, by language: one gettext domain, and dates in words.

The English of the code is the key; ``locale/`` has the other languages.
"""

import gettext

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from parentauth._dates import in_words
from parentauth.exceptions import ConfigurationError

DOMAIN: Final = "parentauth"
SOURCE: Final = "en"
# In their own names, in the order of the menu; the catalogues that exist decide which are shown.
NAMES: Final = {"fr": "Français", "nl": "Nederlands", "de": "Deutsch", "en": "English"}
_LOCALE_DIR: Final = Path(__file__).parent / "locale"


class Texts(Protocol):
    """The texts of one language."""

    locale: str

    def __call__(self, message: str, /, **values: str | int) -> str:
        """Return *message* in this language, with its ``%(name)s`` filled in."""
        ...

    def plural(self, one: str, many: str, n: int, /, **values: str | int) -> str:
        """Return the form for *n*, which the message may name as ``%(n)d``."""
        ...

    def moment(self, when: datetime, zone: ZoneInfo) -> str:
        """Return day and time of *when* in words."""
        ...


class Catalogue:
    """The texts of one language, from its gettext catalogue."""

    def __init__(self, locale: str, translations: gettext.NullTranslations) -> None:
        self.locale = locale
        self._translations = translations

    def __call__(self, message: str, /, **values: str | int) -> str:
        """Return *message* in this language, with its ``%(name)s`` filled in."""
        return self._translations.gettext(message) % values

    def plural(self, one: str, many: str, n: int, /, **values: str | int) -> str:
        """Return the form for *n*, which the message may name as ``%(n)d``."""
        return self._translations.ngettext(one, many, n) % {"n": n, **values}

    def moment(self, when: datetime, zone: ZoneInfo) -> str:
        """Return day and time of *when* in words."""
        return in_words(when.astimezone(zone), self.locale)


@cache
def available() -> tuple[str, ...]:
    """Return the languages that have a catalogue, in the menu's order."""
    return tuple(
        code for code in NAMES if code == SOURCE or gettext.find(DOMAIN, str(_LOCALE_DIR), [code])
    )


@cache
def texts(locale: str) -> Catalogue:
    """
    Return the texts of *locale*.

    Raises:
        ConfigurationError: There is no catalogue for it.
    """
    if locale not in available():
        raise ConfigurationError(
            f"no texts in {locale!r}; available: {', '.join(available())} "
            "(in a source checkout, `make` compiles the catalogues)"
        )
    if locale == SOURCE:
        return Catalogue(locale, gettext.NullTranslations())
    return Catalogue(locale, gettext.translation(DOMAIN, str(_LOCALE_DIR), [locale]))


def negotiate(wishes: Iterable[str | None], default: str) -> str:
    """
    Return the first language wished for that there is, else *default*.

    Args:
        wishes: Language tags (``fr-BE`` counts as ``fr``) or ``Accept-Language`` values.
    """
    for wish in wishes:
        for tag in _by_quality(wish or ""):
            code = tag.split("-")[0].lower()
            if code in available():
                return code
    return default


def _by_quality(header: str) -> list[str]:
    """Read ``fr-BE,fr;q=0.9,en;q=0.5``; what can't be read is left out (RFC 9110, 12.5.4)."""
    found: list[tuple[float, str]] = []
    for part in header[:500].split(","):
        tag, _, parameter = part.strip().partition(";")
        try:
            quality = float(parameter.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if tag and quality > 0:
            found.append((-quality, tag.strip()))
    return [tag for _, tag in sorted(found, key=lambda pair: pair[0])]
