"""
What a password boils down to: forms in which it is compared with words that are too well known.

Always the whole of it, never a part: a passphrase may contain any word.
"""

import unicodedata

from collections.abc import Callable, Collection, Iterator
from typing import Final

# Each round makes a form shorter or ends; a few undo whatever people do.
_ROUNDS: Final = 5
# A shorter text, repeated, is common whatever it is.
_UNIT_MIN: Final = 4
# Tom and Léa are names; "de", "le" and initials are pieces of them.
_LETTERS_MIN: Final = 3
# More than any name has; heads and tails of a longer text are not looked at.
_WORDS_MAX: Final = 8

_GERMAN: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
# Letters that Unicode does not take apart.
_PLAIN: Final = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ı": "i"})


def derivations(text: str) -> frozenset[str]:
    """
    Return every form of *text*, itself included, NFKC and without case.

    With and without accents: the whole; its letters and digits; what is left when digits
    and symbols at both edges are dropped; what any of these repeats; and so on.  Takes time
    proportional to the length.
    """
    found = frozenset[str]()
    new = _spellings(text)
    for _ in range(_ROUNDS):
        found |= new
        new = frozenset(shorten(form) for form in new for shorten in _SHORTENERS) - found
    return (found | new) - {""}


def is_repetition(forms: Collection[str]) -> bool:
    """
    Tell whether fewer than four characters, repeated, make up most of a password.

    Args:
        forms: The password and its :func:`derivations`.
    """
    half = max(map(len, forms), default=0) / 2
    return any(
        len(form) >= half and len(unit) < min(_UNIT_MIN, len(form))
        for form in forms
        for unit in [repeated_unit(form)]
    )


def context_words(texts: Collection[str]) -> frozenset[str]:
    """
    Return the words that a password must not be made of.

    Each text, each of its words, and the words that it begins or ends with (the Van Damme of
    Marc Van Damme), in all their :func:`derivations`; of an address also what stands before
    the @.  Words of fewer than three letters are left out: they are particles and initials,
    and a password of random digits around one is a good one.
    """
    return frozenset(
        form
        for text in texts
        for piece in frozenset(_pieces(text))
        for form in derivations(piece)
        if sum(map(str.isalpha, form)) >= _LETTERS_MIN
    )


def repeated_unit(text: str) -> str:
    """
    Return the shortest text that *text* repeats, or *text*.

    The last repetition may be cut short, if the unit is at most two thirds of the whole.
    """
    period = len(text) - _longest_border(text)
    whole_times = period > 0 and len(text) % period == 0
    return text[:period] if whole_times or 3 * period <= 2 * len(text) else text


def _longest_border(text: str) -> int:
    """Return the length of the longest text that *text* both begins and ends with, not itself."""
    # Knuth, Morris and Pratt's prefix function: each step back was paid for by a step forward.
    borders, border = [0] * len(text), 0
    for end in range(1, len(text)):
        while border and text[end] != text[border]:
            border = borders[border - 1]
        border += text[end] == text[border]
        borders[end] = border
    return border


def _compact(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _stem(text: str) -> str:
    letters = [place for place, character in enumerate(text) if character.isalpha()]
    return text[letters[0] : letters[-1] + 1] if letters else ""


_SHORTENERS: Final[tuple[Callable[[str], str], ...]] = (_compact, _stem, repeated_unit)


def _spellings(text: str) -> frozenset[str]:
    folded = unicodedata.normalize("NFKC", text).casefold()
    # Folding may undo the normalisation of a few letters.
    folded = unicodedata.normalize("NFKC", folded)
    return frozenset({folded, _unaccented(folded), _unaccented(folded.translate(_GERMAN))})


def _unaccented(text: str) -> str:
    if text.isascii():
        return text
    parts = unicodedata.normalize("NFKD", text)
    bare = "".join(part for part in parts if not unicodedata.combining(part))
    return unicodedata.normalize("NFKC", bare.translate(_PLAIN))


def _pieces(text: str) -> Iterator[str]:
    """Give the texts to derive from; D'Hondt is one word and two."""
    yield text
    yield text.partition("@")[0]
    yield from text.split()
    words = "".join(character if character.isalnum() else " " for character in text).split()
    yield from words
    for place in range(1, min(len(words), _WORDS_MAX)):
        yield " ".join(words[:place])
        yield " ".join(words[-place:])
