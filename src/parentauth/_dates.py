"""Dates in words, without a library: days and months of the four languages."""

from datetime import datetime
from typing import Final

_DAYS: Final = {
    "fr": "lundi mardi mercredi jeudi vendredi samedi dimanche",
    "nl": "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
    "de": "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
}
_MONTHS: Final = {
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "en": "January February March April May June July August September October November December",
}


def in_words(when: datetime, locale: str) -> str:
    """
    Return day and time in words: « lundi 7 décembre 2026 à 18 h ».

    Seconds are left out, so that a limit given in words is never later than the real one.

    Args:
        when: Already in the time zone of its readers.
        locale: One of ``fr``, ``nl``, ``de``, ``en``.
    """
    day = _DAYS[locale].split()[when.weekday()]
    month = _MONTHS[locale].split()[when.month - 1]
    return _FORMS[locale](day, month, when)


def _french(day: str, month: str, when: datetime) -> str:
    number = "1er" if when.day == 1 else str(when.day)
    minutes = f"\N{NO-BREAK SPACE}{when.minute:02}" if when.minute else ""
    return f"{day} {number} {month} {when.year} à {when.hour}\N{NO-BREAK SPACE}h{minutes}"


def _dutch(day: str, month: str, when: datetime) -> str:
    return f"{day} {when.day} {month} {when.year} om {when.hour}.{when.minute:02} uur"


def _german(day: str, month: str, when: datetime) -> str:
    return f"{day}, {when.day}. {month} {when.year} um {when.hour}.{when.minute:02} Uhr"


def _english(day: str, month: str, when: datetime) -> str:
    return f"{day} {when.day} {month} {when.year} at {when.hour}:{when.minute:02}"


_FORMS: Final = {"fr": _french, "nl": _dutch, "de": _german, "en": _english}
