"""From a :class:`~parentauth.ports.Mail` to the message that goes over the wire."""

import re
import unicodedata

from email.header import Header
from email.headerregistry import Address, BaseHeader, HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from functools import lru_cache
from typing import Final

from parentauth._outbox import Mail
from parentauth.exceptions import MailRefusedError

ADDRESS_MAX: Final = 254
HEADER_MAX: Final = 998
LINE_MAX: Final = 78

_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_DOMAIN: Final = r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*"
_ADDRESS: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_DOMAIN}")
_MAILBOX: Final = re.compile(r'(?P<name>[^<>"]*|"[^<>"]*") *<(?P<address>[^<>]*)>')
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")

# RFC 2045, 6.7: no base64 and no quoted-printable ever holds these two, so that none is searched for.
_BOUNDARY: Final = "=_alternative"

# Control characters, line and paragraph separators, halves of surrogate pairs: somewhere between
# us and the mailbox, each of them is taken for the end of a line, or for no text at all.
_FORBIDDEN: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})


class _Subject(str):
    """
    A subject that keeps its spaces and can't become another header.

    The standard library's own folding loses or doubles spaces when it encodes a long line with
    accents (Python 3.11 to 3.13).
    """

    __slots__ = ()

    name = "Subject"

    def fold(self, *, policy: EmailPolicy) -> str:
        """Return the whole header, ready to be sent: how :mod:`email` asks its headers."""
        return _subject_line(str(self), policy.linesep)


class _Headers(HeaderRegistry):
    """
    The standard library's headers, their classes made once instead of once per header.

    A campaign is a thousand mails, and half of the worker's time went into their headers.
    """

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[str, type[BaseHeader]] = {}

    def __getitem__(self, name: str) -> type[BaseHeader]:
        """Return the class of the header *name*."""
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = super().__getitem__(name)
        return made


_HEADERS: Final = _Headers()
_POLICY: Final = SMTP.clone(header_factory=_HEADERS)

# What all mails of a campaign have in common is made once, too.


@lru_cache(maxsize=64)
def _mailbox_header(name: str, value: str) -> BaseHeader:
    return _HEADERS(name, mailbox(name, value))


@lru_cache(maxsize=64)
def _subject_line(subject: str, linesep: str) -> str:
    line = f"Subject: {subject}{linesep}"
    if subject.isascii() and len(line) <= LINE_MAX:
        return line
    encoded = Header(subject, charset="utf-8", header_name="Subject")
    return f"Subject: {encoded.encode(linesep=linesep)}{linesep}"


def as_message(mail: Mail) -> EmailMessage:
    """
    Build the message: text and HTML as alternatives, one recipient, every header checked.

    Raises:
        MailRefusedError: A header's value holds a line end, a control character, an encoded
            word, or an address that is none or more than one.  The text never contains the value.

    Source:
        RFC 5322, 3.6 (``Date``, ``Message-ID``); RFC 3834, 5 (``Auto-Submitted``);
        RFC 3282 (``Content-Language``); OWASP ASVS 5.0, 1.3.11 (no mail injection).

    .. versionadded:: 26.1.0
    """
    message = EmailMessage(policy=_POLICY)
    message["From"] = _mailbox_header("From", mail.sender)
    message["To"] = Address(addr_spec=bare_address("To", mail.to))
    if mail.reply_to is not None:
        message["Reply-To"] = _mailbox_header("Reply-To", mail.reply_to)
    message["Subject"] = _Subject(_header("Subject", mail.subject))
    message["Date"] = mail.date
    message["Message-ID"] = _message_id(mail.message_id)
    message["Auto-Submitted"] = "auto-generated"
    _add_bodies(message, mail)
    # Last, because add_alternative() would move it into the first part.
    message["Content-Language"] = _matching("Content-Language", mail.locale, _LANGUAGE)
    return message


@lru_cache(maxsize=64)
def mailbox(header: str, value: str) -> Address:
    """
    Read ``a@b.be`` or ``École <a@b.be>``, never two, never a comment or a group.

    Raises:
        MailRefusedError: It is anything else.
    """
    # Not parseaddr(): it guesses, and has picked the wrong one of two (CVE-2023-27043).
    match = _MAILBOX.fullmatch(_header(header, value))
    if match is None:
        return Address(addr_spec=bare_address(header, value))
    name = match["name"].strip().strip('"')
    return Address(name, addr_spec=bare_address(header, match["address"]))


def bare_address(header: str, value: str) -> str:
    """
    Return *value* if it is one address in ASCII, without quotes, comments or literals.

    Raises:
        MailRefusedError: It is not.
    """
    # EmailMessage would take "a@b.fr, evil@x.fr" for To and mail the token to both.
    if len(value) > ADDRESS_MAX:
        raise MailRefusedError(f"{header} is too long for an address")
    return _matching(header, value, _ADDRESS)


def _message_id(value: str) -> str:
    if not (value.startswith("<") and value.endswith(">")):
        raise MailRefusedError("Message-ID has no angle brackets")
    return f"<{_matching('Message-ID', value[1:-1], _ADDRESS)}>"


def _matching(header: str, value: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(_header(header, value)):
        raise MailRefusedError(f"{header} has not the form of one")
    return value


def _header(header: str, value: str) -> str:
    if len(value) > HEADER_MAX:
        raise MailRefusedError(f"{header} is too long")
    if any(unicodedata.category(character) in _FORBIDDEN for character in value):
        raise MailRefusedError(f"{header} holds a control character or a line end")
    # EmailMessage decodes =?utf-8?q?x=0D=0ABcc:...?= and, up to Python 3.12.4, sends the Bcc.
    if "=?" in value:
        raise MailRefusedError(f"{header} holds an encoded word")
    return value


def _add_bodies(message: EmailMessage, mail: Mail) -> None:
    # Base64, because quoted-printable cuts the line of a link, and its "=" too; and because
    # 8bit may be cut by a relay that does not speak 8BITMIME.
    try:
        message.set_content(mail.text, cte="base64")
        message.make_alternative(_BOUNDARY)
        message.add_alternative(mail.html, subtype="html", cte="base64")
    except UnicodeEncodeError:
        raise MailRefusedError("The body holds half of a surrogate pair") from None
