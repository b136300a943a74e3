#!/usr/bin/env python3
# /// script
# requires-python = ">=3.11"
# dependencies = ["zxcvbn==4.5.0"]
# ///
"""
Make ``src/parentauth/_data/common_passwords.txt.gz``; the same input gives the same bytes.

Sources: the frequency list "passwords" of the PyPI package zxcvbn 4.5.0 (MIT; 30,000 entries,
mostly English), words of our own in ``common_words.txt`` (French, Dutch, German, English),
and what fingers find on keyboards: rows, columns, alphabets and runs of digits.

Run it in an environment of its own that has zxcvbn: ``python scripts/make_common_passwords.py``.
"""

import gzip
import unicodedata

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

from zxcvbn.frequency_lists import FREQUENCY_LISTS

ROOT: Final = Path(__file__).parent.parent
TARGET: Final = ROOT / "src" / "parentauth" / "_data" / "common_passwords.txt.gz"
WORDS: Final = Path(__file__).with_name("common_words.txt")
LENGTH_MIN: Final = 4
RUN_MAX: Final = 40

DIGITS: Final = "1234567890"
ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz"
# From the top: Belgian, French and international keys.
KEYBOARDS: Final = (
    ("azertyuiop", "qsdfghjklm", "wxcvbn"),
    ("qwertyuiop", "asdfghjkl", "zxcvbnm"),
    ("qwertzuiop", "asdfghjkl", "yxcvbnm"),
)
SHIFTED: Final = ("&é\"'(§è!çà)-", "&é\"'(-è_çà)=", "!@#$%^&*()_+", '!"§$%&/()=')
YEARS: Final = range(1940, 2041)
GERMAN: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
PLAIN: Final = str.maketrans({"œ": "oe", "æ": "ae"})


def folded(text: str) -> str:
    """Return *text* as passwords are compared: NFKC, without case."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def unaccented(text: str) -> str:
    """Return *text* without accents."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(part for part in parts if not unicodedata.combining(part)).translate(PLAIN)


def spellings(word: str) -> Iterator[str]:
    """Give the ways to type *word*, with its accents and without."""
    yield folded(word)
    yield unaccented(folded(word))
    yield unaccented(folded(word).translate(GERMAN))


def own_words() -> Iterator[str]:
    """Give the words of the file beside this one; its headings stand in brackets."""
    for line in WORDS.read_text("utf-8").splitlines():
        if not line.startswith(("#", "[")):
            yield from line.split()


def windows(run: str) -> Iterator[str]:
    """Give every piece of *run*, forwards and backwards."""
    for start in range(len(run) - LENGTH_MIN + 1):
        for end in range(start + LENGTH_MIN, min(len(run), start + RUN_MAX) + 1):
            yield run[start:end]
            yield run[start:end][::-1]


def mirrored(run: str) -> Iterator[str]:
    """Give the beginnings of *run* there and back: 12344321 and 1234321."""
    for end in range(3, len(run) + 1):
        there, back = run[:end], run[:end][::-1]
        yield there + back
        yield there + back[1:]


def runs() -> Iterator[str]:
    """Give what a finger, or two, can follow."""
    yield from (DIGITS * 2, "0123456789", ALPHABET, *SHIFTED)
    # aabbcc, 111222, a1b2c3 and 1a2b3c
    for line in (DIGITS, ALPHABET, *(row for rows in KEYBOARDS for row in rows)):
        yield "".join(character * 2 for character in line)
        yield "".join(character * 3 for character in line)
        yield "".join(pair for two in zip(line, DIGITS, strict=False) for pair in two)
        yield "".join(pair for two in zip(DIGITS, line, strict=False) for pair in two)
    for rows in KEYBOARDS:
        yield DIGITS + "".join(rows)
        yield "".join(rows) + DIGITS
        yield from columns(rows)


def columns(rows: Iterable[str]) -> Iterator[str]:
    """Give the columns of a keyboard, downwards and up: 1aqw2zsx and wqa1xsz2, qazwsx."""
    for lines in ((DIGITS, *rows), tuple(rows)):
        stripes = ["".join(keys) for keys in zip(*lines, strict=False)]
        yield "".join(stripes)
        yield "".join(stripe[::-1] for stripe in stripes)
        yield "".join(one + other[::-1] for one, other in list(pairwise(stripes))[::2])


def once(entry: str) -> str:
    """Return what *entry* says several times over: the bling of blingbling."""
    return entry[: (entry + entry).find(entry, 1)]


def entries() -> set[str]:
    """Collect everything."""
    found = {folded(word) for word in FREQUENCY_LISTS["passwords"]}
    found.update(spelling for word in own_words() for spelling in spellings(word))
    found.update(piece for run in runs() for piece in windows(folded(run)))
    found.update(piece for run in (DIGITS, ALPHABET) for piece in mirrored(run))
    found.update(str(year) for year in YEARS)
    # Whoever says blingbling three times has said bling six times.
    found.update(map(once, tuple(found)))
    return {entry for entry in found if len(entry) >= LENGTH_MIN}


def main() -> None:
    """Write the file, without the time and the name that gzip would put in."""
    data = "\n".join(sorted(entries())).encode()
    TARGET.parent.mkdir(exist_ok=True)
    with (
        TARGET.open("wb") as target,
        gzip.GzipFile(filename="", mode="wb", fileobj=target, mtime=0) as packed,
    ):
        packed.write(data)


if __name__ == "__main__":
    main()
