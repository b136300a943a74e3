"""One mail over an open SMTP connection, and what the server's answers mean."""

import re
import smtplib

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from parentauth._messages import as_message, mailbox
from parentauth._outbox import Mail
from parentauth.exceptions import MailDelayedError, MailRefusedError

_REASON_MAX: Final = 500


@contextmanager
def failure_is_delay(*, maybe_sent: bool = False) -> Generator[None]:
    """Raise what goes wrong with network or disk as :exc:`MailDelayedError`."""
    try:
        yield
    except OSError as error:  # smtplib's and ssl's errors are OSErrors, too.
        # From None: a traceback in a log would show what the server said unmasked.
        raise MailDelayedError(_reason(error), maybe_sent=maybe_sent) from None


def send(server: smtplib.SMTP, mail: Mail) -> None:
    """
    Send one mail and leave the connection ready for another.

    Raises:
        MailDelayedError: The server asks to wait, or the connection is lost.
        MailRefusedError: The server refuses, or there is no such message.
    """
    content = as_message(mail).as_bytes()
    sender = mailbox("From", mail.sender).addr_spec
    try:
        _begin(server, sender=sender, recipient=mail.to)
        _hand_over(server, content)
    except (MailDelayedError, MailRefusedError):
        _reset(server)
        raise


def leave(server: smtplib.SMTP) -> None:
    """Say good-bye; every mail has its answer by now, so that what the server says is nothing."""
    try:
        server.quit()
    except OSError:
        server.close()


def _begin(server: smtplib.SMTP, *, sender: str, recipient: str) -> None:
    with failure_is_delay():
        # A sender that is refused is the school's setting: mails can wait until it is mended.
        _expect(2, server.mail(sender), refusal=MailDelayedError)
        _expect(2, server.rcpt(recipient))
        _expect(3, server.docmd("DATA"))


def _hand_over(server: smtplib.SMTP, content: bytes) -> None:
    # SMTP.sendmail() would not tell whether the connection was lost before or after this point.
    with failure_is_delay(maybe_sent=True):
        # RFC 5321, 4.5.2: a line that is only a dot would end the mail.
        server.send(re.sub(rb"(?m)^\.", b"..", content) + b".\r\n")
        _expect(2, server.getreply())


def _expect(
    digit: int,
    reply: tuple[int, bytes],
    refusal: type[MailDelayedError | MailRefusedError] = MailRefusedError,
) -> None:
    code, text = reply
    match code // 100:
        case first if first == digit:
            return
        case 5:
            raise refusal(_readable(code, text))
        case 4:
            raise MailDelayedError(_readable(code, text))
        case _:
            raise smtplib.SMTPResponseException(code, text)


def _reset(server: smtplib.SMTP) -> None:
    try:
        in_step = server.rset()[0] == 250  # noqa: PLR2004  RFC 5321, 4.2.3
    except OSError:
        in_step = False
    if not in_step:
        # Answers to the next mail could not be told from late ones to this.
        server.close()


def _reason(error: OSError) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error
        return _readable(error.smtp_code, text if isinstance(text, bytes) else text.encode())
    return _readable(type(error).__name__, str(error).encode())


def _readable(code: int | str, text: bytes) -> str:
    """Return one line without anybody's whole address, whatever the server wrote."""
    line = text[:_REASON_MAX].decode(errors="backslashreplace").replace("\n", " ")
    # Every address, because a server may name the one that it forwards to.
    masked = re.sub(r"([^\s<>@])[^\s<>@]*@", r"\1***@", line)
    # And what looks like a token: a filter may quote the link that it does not like.
    masked = re.sub(r"[0-9A-Za-z]{4}(?:-?[0-9A-Za-z]{4}){7}", "***", masked)
    return f"{code} " + "".join(
        letter if letter.isprintable() else ascii(letter)[1:-1] for letter in masked
    )
