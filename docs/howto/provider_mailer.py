"""A mailer over a provider's HTTP interface, for the page "Send mail through a provider"."""

import json

from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPSConnection

from parentauth.exceptions import MailDelayedError, MailRefusedError
from parentauth.ports import Mail


class ProviderMailer:
    """
    Hands each mail over as JSON.

    Args:
        host: The provider's.
        key: What it gave you to sign your requests with.
        connection: Makes a connection; HTTPS, but for tests.
    """

    def __init__(
        self,
        host: str,
        *,
        key: str,
        connection: Callable[..., HTTPConnection] = HTTPSConnection,
    ) -> None:
        self._host = host
        self._key = key
        self._connection = connection

    def __repr__(self) -> str:
        return f"<ProviderMailer at {self._host}>"

    @contextmanager
    def connect(self) -> Generator[Callable[[Mail], None]]:
        """Connect once, for all the mails of a batch."""
        with closing(self._connection(self._host, timeout=10)) as server:
            try:
                server.connect()
            except OSError as error:
                raise MailDelayedError(type(error).__name__) from None
            yield partial(self._send, server)

    def _send(self, server: HTTPConnection, mail: Mail) -> None:
        body = json.dumps(
            {
                "from": mail.sender,
                "to": [mail.to],
                "reply_to": mail.reply_to,
                "subject": mail.subject,
                "text": mail.text,
                "html": mail.html,
                "headers": {"Message-ID": mail.message_id, "Auto-Submitted": "auto-generated"},
            }
        )
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        try:
            server.request("POST", "/mails", body.encode(), headers)
            answer = server.getresponse()
            answer.read()
        except (HTTPException, OSError) as error:
            # Lost on the way: nobody can say on which side of the provider's door.
            server.close()
            raise MailDelayedError(type(error).__name__, maybe_sent=True) from None
        judge(answer.status)


def judge(status: int) -> None:
    """Say what an answer means for the mail."""
    if status // 100 == 2:  # noqa: PLR2004  HTTP's own numbers
        return
    # Too fast, or the key is wrong, or the server is ill: all of it can be mended.
    if status in {401, 403, 408, 429} or status // 100 == 5:  # noqa: PLR2004  the same
        raise MailDelayedError(f"HTTP {status}")
    raise MailRefusedError(f"HTTP {status}")
