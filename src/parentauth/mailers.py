"""Mailers to choose from: over SMTP, and two for trying out."""

import ipaddress
import os
import secrets
import smtplib
import ssl
import sys
import tempfile

from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from functools import partial
from pathlib import Path
from typing import Final, Literal, Self, TextIO
from urllib.parse import unquote, urlsplit

import attrs

from parentauth._messages import as_message
from parentauth._outbox import Mail
from parentauth._smtp import failure_is_delay, leave, send
from parentauth.exceptions import ConfigurationError

__all__ = ["ConsoleMailer", "FileMailer", "SMTPMailer", "Security", "as_message"]

Security = Literal["tls", "starttls", "plain"]

_SCHEMES: Final[dict[str, tuple[Security, int]]] = {
    "smtps": ("tls", 465),
    "smtp+starttls": ("starttls", 587),
    "smtp": ("plain", 25),
}
_URL_CURE: Final = (
    "The mail URL can't be read; it has the form smtps://user:password@host:465, and every "
    "character of user and password but letters and digits is percent-encoded"
)


@attrs.frozen
class SMTPMailer:
    """
    Sends mails through a mail server, over TLS whose certificate and host name are checked.

    Args:
        security: ``tls`` from the first byte, ``starttls`` before anything is said (never
            without it), or ``plain`` on this machine only.
        timeout: Seconds that the server may take for each answer.
        ssl_context: Where the server's certificate is not signed by an authority that this
            machine knows: ``ssl.create_default_context(cafile=...)``.

    Raises:
        ConfigurationError: The settings contradict each other, or would send tokens unprotected.

    Source:
        OWASP ASVS 5.0, 12.3.1: TLS to every service, and no fallback to clear text.
        RFC 8314, 3.3: implicit TLS is preferred.

    .. versionadded:: 26.1.0
    """

    host: str
    port: int
    username: str | None = attrs.field(default=None, kw_only=True)
    password: str | None = attrs.field(default=None, kw_only=True, repr=False)
    security: Security = attrs.field(default="tls", kw_only=True)
    timeout: float = attrs.field(default=10, kw_only=True)
    ssl_context: ssl.SSLContext | None = attrs.field(default=None, kw_only=True, repr=False)

    def __attrs_post_init__(self) -> None:
        _check_host(self.host)
        _check_credentials(self.username, self.password)
        if self.security not in {"tls", "starttls", "plain"}:
            raise ConfigurationError("security is none of: tls, starttls, plain")
        if self.security == "plain" and not _is_loopback(self.host):
            raise ConfigurationError(
                "Mail in clear text may go to this machine only (localhost, 127.0.0.1, ::1); "
                "use smtps:// or smtp+starttls:// for another one"
            )
        if self.timeout <= 0:
            raise ConfigurationError("timeout must be more than 0 seconds")
        if self.ssl_context is not None and not _checks(self.ssl_context):
            raise ConfigurationError(
                "ssl_context must check certificate and host name; to trust an authority of "
                "your own, use ssl.create_default_context(cafile=...)"
            )

    @classmethod
    def from_url(
        cls, url: str, *, timeout: float = 10, ssl_context: ssl.SSLContext | None = None
    ) -> Self:
        """
        Read ``smtps://user:password@host:465``, or the same with ``smtp+starttls://``.

        Args:
            url: ``smtp://`` is for a server on this machine only.  The ports are 465, 587 and 25
                if there is none; user and password are percent-encoded.
            timeout: In seconds, as for the class.

        Raises:
            ConfigurationError: The URL can't be used; the text names the cure, never the URL.
        """
        # A port or a percent sequence that can't be read would be quoted by Python's error, and
        # where a password holds an unescaped slash, that is a piece of the password.
        try:
            parts = urlsplit(url)
            security, default_port = _SCHEMES[parts.scheme]
            username, password = map(_unquoted, (parts.username, parts.password))
            port = parts.port or default_port
        except KeyError:
            raise ConfigurationError(
                "The mail URL must begin with smtps://, smtp+starttls:// or smtp://"
            ) from None
        except ValueError:
            raise ConfigurationError(_URL_CURE) from None
        if parts.path not in {"", "/"} or parts.query or parts.fragment:
            raise ConfigurationError(_URL_CURE)
        return cls(
            parts.hostname or "",
            port,
            username=username,
            password=password,
            security=security,
            timeout=timeout,
            ssl_context=ssl_context,
        )

    @contextmanager
    def connect(self) -> Generator[Callable[[Mail], None]]:
        """
        Connect, secure the connection, sign in, and give a callable that sends one mail.

        A mail that is refused or delayed leaves the connection to the next one.  Once the
        connection is lost, every further mail of the batch is delayed at once.

        Raises:
            MailDelayedError: There is no such connection now, or the server asks to wait.
                ``maybe_sent`` only if it was lost after the content had begun to leave.
            MailRefusedError: The server will never take that mail for that recipient, or
                :func:`as_message` would not build it.

        Source:
            RFC 5321, 4.2.1: the first digit of a reply says what to do.
        """
        with closing(self._open()) as server:
            yield partial(send, server)
            leave(server)

    def _open(self) -> smtplib.SMTP:
        with failure_is_delay():
            server = self._connected()
            try:
                self._prepare(server)
            except BaseException:
                server.close()
                raise
            return server

    def _connected(self) -> smtplib.SMTP:
        if self.security == "tls":
            return smtplib.SMTP_SSL(
                self.host, self.port, timeout=self.timeout, context=self._context()
            )
        return smtplib.SMTP(self.host, self.port, timeout=self.timeout)

    def _prepare(self, server: smtplib.SMTP) -> None:
        if self.security == "starttls":
            # Raises where the server, or somebody on the way, does not offer it.
            server.starttls(context=self._context())
        server.ehlo_or_helo_if_needed()
        if self.username is not None and self.password is not None:
            server.login(self.username, self.password)

    def _context(self) -> ssl.SSLContext:
        return self.ssl_context or ssl.create_default_context()


def _unquoted(text: str | None) -> str | None:
    return unquote(text, errors="strict") if text else None


def _check_host(host: str) -> None:
    try:
        valid = bool(host) and host.isprintable() and bool(host.encode("idna"))
    except UnicodeError:
        valid = False
    if not valid:
        raise ConfigurationError("The mail server's host is missing or is no host name")


def _check_credentials(username: str | None, password: str | None) -> None:
    if (username is None) != (password is None):
        raise ConfigurationError("The mail server's user and password go together: give both")
    # smtplib speaks ASCII here, and would only say so in the worker.
    if not f"{username}{password}".isascii():
        raise ConfigurationError("The mail server's user and password must be ASCII")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checks(context: ssl.SSLContext) -> bool:
    return context.check_hostname and context.verify_mode == ssl.CERT_REQUIRED


# -- For trying out


class ConsoleMailer:
    """
    Prints mails, tokens included, instead of sending them: for trying out, never for parents.

    Args:
        stream: Where to print to; standard output if None.

    .. versionadded:: 26.1.0
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    @contextmanager
    def connect(self) -> Generator[Callable[[Mail], None]]:
        """Give a callable that prints one mail's headers and text."""
        yield self._print

    def _print(self, mail: Mail) -> None:
        message = as_message(mail)
        stream = self._stream or sys.stdout
        headers = "\n".join(f"{name}: {message[name]}" for name in ("From", "To", "Subject"))
        stream.write(f"-- Printed for trying out, not sent --\n{headers}\n\n{mail.text}\n\n")
        stream.flush()


class FileMailer:
    """
    Writes each mail into a file of its own instead of sending it: a mailbox for trying out.

    Args:
        directory: Made when needed, for this user only, because the files hold tokens.

    .. versionadded:: 26.1.0
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._directory = Path(directory)

    @contextmanager
    def connect(self) -> Generator[Callable[[Mail], None]]:
        """
        Give a callable that writes one mail.

        Raises:
            MailDelayedError: The file can't be written.
        """
        with failure_is_delay():
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield self._write

    def messages(self) -> Sequence[EmailMessage]:
        """Return the mails written so far, the newest first."""
        files = sorted(self._directory.glob("*.eml"), reverse=True)
        return [message_from_bytes(file.read_bytes(), policy=SMTP) for file in files]

    def _write(self, mail: Mail) -> None:
        content = as_message(mail).as_bytes()
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(4)}.eml"
        with failure_is_delay():
            # Under a name that is no mail's until it is whole; mkstemp makes it 0600.
            descriptor, temporary = tempfile.mkstemp(dir=self._directory, suffix=".part")
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(temporary).replace(self._directory / name)
