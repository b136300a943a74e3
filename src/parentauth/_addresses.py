"""The one reader of e-mail addresses; linear, no look-up, no regular expression."""

import string

from typing import Final

from parentauth.exceptions import AddressError, ConfigurationError

ADDRESS_MAX: Final = 254
LOCAL_MAX: Final = 64
LABEL_MAX: Final = 63
_LABEL: Final = frozenset(string.ascii_letters + string.digits + "-")
_ATOM: Final = _LABEL | frozenset("!#$%&'*+/=?^_`{|}~")


def read_address(text: str) -> str:
    """
    Return the address in *text* as mail will be sent to it.

    The local part keeps its spelling, the domain becomes lower case and, where it is
    written in other letters than ASCII's, its A-labels.

    Raises:
        AddressError: It is no such address; the error does not repeat it.
        ConfigurationError: A domain in other letters needs ``parentauth[email]``.

    Source:
        RFC 5321, 4.5.3.1 (lengths) and RFC 5322, 3.2.3 (dot-atom).
    """
    text = text.strip()
    if not text.isprintable() or len(text) > ADDRESS_MAX:
        raise AddressError("not an e-mail address")
    local, at, domain = text.rpartition("@")
    if not at or not _is_local_part(local):
        raise AddressError("not an e-mail address")
    domain = domain.lower() if domain.isascii() else _a_labels(domain)
    if not _is_domain(domain) or len(local) + 1 + len(domain) > ADDRESS_MAX:
        raise AddressError("not an e-mail address")
    return f"{local}@{domain}"


def _is_local_part(local: str) -> bool:
    atoms = local.split(".")
    return len(local) <= LOCAL_MAX and all(atom and _ATOM.issuperset(atom) for atom in atoms)


def _is_domain(domain: str) -> bool:
    labels = domain.split(".")
    return len(labels) > 1 and not labels[-1].isdigit() and all(map(_is_label, labels))


def _is_label(label: str) -> bool:
    return (
        0 < len(label) <= LABEL_MAX
        and _LABEL.issuperset(label)
        and not label.startswith("-")
        and not label.endswith("-")
    )


def _a_labels(domain: str) -> str:
    try:
        from email_validator import EmailNotValidError, validate_email
    except ImportError as error:
        raise ConfigurationError(
            "a domain in other letters than ASCII's needs: pip install 'parentauth[email]'"
        ) from error
    try:
        valid = validate_email(f"x@{domain}", check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise AddressError("not an e-mail address") from None
    a_labels = valid.ascii_domain.lower()
    if not _same_letters(domain, a_labels):
        raise AddressError("not an e-mail address")
    return a_labels


def _same_letters(domain: str, a_labels: str) -> bool:
    """Refuse K (the Kelvin sign), ﬁ or full-width letters: they would become others' ASCII."""
    typed, read = domain.split("."), a_labels.split(".")
    return len(typed) == len(read) and all(
        other == label.lower() if label.isascii() else other.startswith("xn--")
        for label, other in zip(typed, read, strict=True)
    )
