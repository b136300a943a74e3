"""What no form of ours sends, refused before anything else sees it."""

from typing import Final

from parentauth.exceptions import InputError

TEXT_MAX: Final = 2048


def checked_text(value: object, name: str, *, maximum: int = TEXT_MAX) -> str:
    """
    Return *value* if it is text that storages, hashers and mails can take.

    Raises:
        InputError: Another type, NUL, a lone surrogate, or more than *maximum* characters.
            Its text names the field, never the value.

    Source:
        OWASP ASVS 5.0, 2.2.1.  A NUL that reached the database was a 500 elsewhere, and
        the failed attempt was not counted.
    """
    if not isinstance(value, str):
        raise InputError(f"{name} must be text")
    if len(value) > maximum:
        raise InputError(f"{name} is longer than {maximum} characters")
    if "\0" in value:
        raise InputError(f"{name} contains NUL")
    # Not by catching the error of a strict encode: it would keep the text in its context.
    if value.encode("utf-8", "ignore").decode() != value:
        raise InputError(f"{name} contains half a character")
    return value
