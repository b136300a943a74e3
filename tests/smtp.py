"""
Real SMTP servers on 127.0.0.1, for tests that send mail.

    with smtp_sink() as sink:
        mailer = SMTPMailer.from_url(sink.url)
        ...
        assert ["parent@example.com"] == sink.recipients

:func:`smtp_sink` is a whole server (aiosmtpd); :func:`faulty_server` answers what a test tells it
to, hangs, or drops the connection.
"""

import contextlib
import socket
import socketserver
import ssl
import threading

from collections.abc import Awaitable, Iterator, Mapping
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from typing import Any, Final

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

HOST: Final = "127.0.0.1"
DROP: Final = "drop"
HANG: Final = "hang"


class SMTPSink:
    """
    What a server received, and what it shall answer.

    Attributes:
        envelopes: One per mail that it accepted, with sender, recipients and content as received.
        rcpt: Every recipient of every RCPT command, refused ones too.
        answers: By verb, what to answer instead of "250 OK"; may be changed at any time.
        connections: Those open now.
        opened: How many there have been.
    """

    def __init__(self, port: int, *, scheme: str = "smtp") -> None:
        self.host = HOST
        self.port = port
        self.url = f"{scheme}://{HOST}:{port}"
        self.envelopes: list[Envelope] = []
        self.rcpt: list[str] = []
        self.answers: dict[str, str] = {}
        self.logins: list[tuple[str, str]] = []
        self.connections: set[object] = set()
        self.opened = 0
        self._changed = threading.Condition()

    @property
    def messages(self) -> list[EmailMessage]:
        """The accepted mails, read, in order of arrival."""
        return [message_from_bytes(self.content(at), policy=SMTP_POLICY) for at in self._range]

    @property
    def recipients(self) -> list[str]:
        """To whom the accepted mails went."""
        return [recipient for envelope in self.envelopes for recipient in envelope.rcpt_tos]

    @property
    def _range(self) -> range:
        return range(len(self.envelopes))

    def content(self, at: int = -1) -> bytes:
        """Return one accepted mail as received."""
        content = self.envelopes[at].content
        assert isinstance(content, bytes)
        return content

    def wait_for(self, count: int, *, seconds: float = 10) -> list[EmailMessage]:
        """Wait until *count* mails were accepted: for workers in a thread of their own."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.envelopes) >= count, seconds)
        return self.messages

    def wait_closed(self, *, seconds: float = 5) -> bool:
        """Tell whether every connection is closed, soon at the latest."""
        with self._changed:
            return self._changed.wait_for(lambda: not self.connections, seconds)

    # -- What aiosmtpd calls, by these names

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a sender."""
        if "MAIL" in self.answers:
            return self.answers["MAIL"]
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient."""
        self.rcpt.append(address)
        if "RCPT" in self.answers:
            return self.answers["RCPT"].format(address=address)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Envelope
    ) -> str:
        """Take a mail."""
        if "DATA" in self.answers:
            return self.answers["DATA"]
        with self._changed:
            self.envelopes.append(envelope)
            self._changed.notify_all()
        return "250 OK"

    def authenticate(
        self, server: SMTP, session: Any, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        """Take a login, whatever the password."""
        if "AUTH" in self.answers:
            return AuthResult(success=False, handled=False, message=self.answers["AUTH"])
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=True)

    def connection(self, connection: object, *, is_open: bool) -> None:
        """Count a connection."""
        with self._changed:
            if is_open:
                self.connections.add(connection)
                self.opened += 1
            else:
                self.connections.discard(connection)
            self._changed.notify_all()


class _Server(SMTP):
    """Tells the sink about its connection."""

    def connection_made(self, transport: Any) -> None:
        if self not in self.event_handler.connections:  # STARTTLS makes it a second time.
            self.event_handler.connection(self, is_open=True)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.event_handler.connection(self, is_open=False)
        super().connection_lost(error)


class _Controller(Controller):
    """Listens on a socket that has its port already, so that tests run in parallel."""

    def __init__(self, sink: SMTPSink, listener: socket.socket, **arguments: Any) -> None:
        super().__init__(sink, hostname=HOST, port=sink.port, **arguments)
        self._listener = listener

    def factory(self) -> SMTP:
        return _Server(self.handler, **self.SMTP_kwargs)

    def _create_server(self) -> Awaitable[Any]:
        return self.loop.create_server(
            self._factory_invoker, sock=self._listener, ssl=self.ssl_context
        )


@contextlib.contextmanager
def smtp_sink(
    *,
    tls: ssl.SSLContext | None = None,
    starttls: ssl.SSLContext | None = None,
    auth: bool = False,
) -> Iterator[SMTPSink]:
    """
    Run a mail server on a free port of 127.0.0.1.

    Args:
        tls: Speak TLS from the first byte, with this server context.
        starttls: Offer STARTTLS, and take no mail without it.
        auth: Take no mail before a login.
    """
    listener = socket.create_server((HOST, 0))
    scheme = "smtps" if tls else "smtp+starttls" if starttls else "smtp"
    sink = SMTPSink(listener.getsockname()[1], scheme=scheme)
    controller = _Controller(
        sink,
        listener,
        ssl_context=tls,
        tls_context=starttls,
        require_starttls=starttls is not None,
        auth_required=auth,
        auth_require_tls=starttls is not None,
        authenticator=sink.authenticate,
        server_hostname="sink.example.com",
    )
    controller.start()
    assert sink.wait_closed()  # The controller has tried it.
    sink.opened = 0
    try:
        yield sink
    finally:
        sink.wait_closed()
        controller.stop()


# -- Servers that misbehave

_ANSWERS: Final = {
    "CONNECT": "220 faulty.example.com",
    "EHLO": "250 faulty.example.com",
    "STARTTLS": "220 go ahead",
    "MAIL": "250 OK",
    "RCPT": "250 OK",
    "DATA": "354 go ahead",
    "CONTENT": "250 OK",
    "RSET": "250 OK",
    "QUIT": "221 bye",
}


class FaultyServer(socketserver.ThreadingTCPServer):
    """
    A server that answers by a script.

    Attributes:
        commands: Every line that it read as a command.
        content: Every byte that it read after DATA.
    """

    daemon_threads = True

    def __init__(self, answers: Mapping[str, str], tls: ssl.SSLContext | None) -> None:
        super().__init__((HOST, 0), _Script)
        self.host, self.port = HOST, self.server_address[1]
        self.answers = {**_ANSWERS, **answers}
        self.tls = tls
        self.commands: list[str] = []
        self.content = b""
        self.stopping = threading.Event()

    @property
    def verbs(self) -> list[str]:
        """The commands without what follows."""
        return [command.split(" ")[0].upper() for command in self.commands]


class _Script(socketserver.BaseRequestHandler):
    server: FaultyServer

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # The client left, or did not like the certificate.
            if self.server.answers["CONNECT"] == "tls":
                self._secure()
            self._serve()

    def setup(self) -> None:
        self._open = contextlib.ExitStack()
        self._read()

    def finish(self) -> None:
        self._open.close()

    def _read(self) -> None:
        self._reader = self._open.enter_context(self.request.makefile("rb"))

    def _secure(self) -> None:
        assert self.server.tls is not None
        self.request = self._open.enter_context(
            self.server.tls.wrap_socket(self.request, server_side=True)
        )
        self._read()

    def _serve(self) -> None:
        go_on = self._answer("CONNECT")
        while go_on and (line := self._reader.readline()):
            self.server.commands.append(line.decode("ascii").rstrip("\r\n"))
            go_on = self._command(self.server.verbs[-1])

    def _command(self, verb: str) -> bool:
        go_on = self._answer(verb)
        if verb == "DATA" and self.server.answers["DATA"].startswith("354"):
            while (line := self._reader.readline()) not in {b".\r\n", b""}:
                self.server.content += line
            return self._answer("CONTENT")
        if verb == "STARTTLS" and self.server.answers["STARTTLS"].startswith("220"):
            self._secure()
        return go_on and verb != "QUIT"

    def _answer(self, verb: str) -> bool:
        answer = self.server.answers.get(verb, "502 unknown")
        if answer == HANG:
            self.server.stopping.wait(10)
        if answer in {HANG, DROP}:
            return False
        if answer == "tls":
            answer = _ANSWERS["CONNECT"]
        self.request.sendall(answer.encode("latin-1") + b"\r\n")
        return True


@contextlib.contextmanager
def faulty_server(
    answers: Mapping[str, str] = {}, *, tls: ssl.SSLContext | None = None
) -> Iterator[FaultyServer]:
    """
    Run a server that answers by a script on a free port of 127.0.0.1.

    Args:
        answers: By verb, and for ``CONNECT`` and ``CONTENT`` (the end of a mail): a reply,
            :data:`DROP` or :data:`HANG`.  ``CONNECT: "tls"`` speaks TLS from the first byte.
        tls: The server context for that, and after STARTTLS.
    """
    with FaultyServer(answers, tls) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.stopping.set()
            server.shutdown()
            thread.join()
