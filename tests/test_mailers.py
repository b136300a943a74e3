import io
import smtplib
import ssl
import stat
import time

from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import attrs
import pytest
import trustme

from hypothesis import example, given, settings
from hypothesis import strategies as st

from parentauth.exceptions import ConfigurationError, MailDelayedError, MailRefusedError
from parentauth.mailers import ConsoleMailer, FileMailer, SMTPMailer, as_message
from parentauth.ports import Mail
from tests.smtp import DROP, HANG, HOST, SMTPSink, faulty_server, smtp_sink

LINK = "https://portail.ecole.example/token/" + "0123456789ABCDEFGHJKMNPQRSTVWXYZ" * 30
TEXT = f"Bonjour,\n\nVoici « votre lien » :\n\n{LINK}\n\n.\n..\n.suite\nÀ bientôt — l’école\n"
HTML = f'<!doctype html><p>À bientôt</p>\n.\n<a href="{LINK}?a=1&amp;b=2">CONNEXION</a>\n'
MAIL = Mail(
    sender="École Les Tilleuls <portail@ecole.example>",
    to="Marie.Dupont+school@example.com",
    reply_to="Secrétariat <secretariat@ecole.example>",
    subject="Votre accès au portail « Les Tilleuls »",
    text=TEXT,
    html=HTML,
    locale="fr",
    message_id="<20260901.abc123@ecole.example>",
    date=datetime(2026, 9, 1, 8, 30, tzinfo=UTC),
)
HEADERS = [
    "From",
    "To",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "MIME-Version",
    "Content-Type",
    "Content-Language",
]
LINE_ENDS = ["\r", "\n", "\r\n", "\0", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\ud800"]
NOT_ONE_ADDRESS = [
    "",
    "a",
    "@example.com",
    "a@",
    "a@b.example, evil@x.example",
    "a@b.example,evil@x.example",
    "a@b.example; evil@x.example",
    "a@b.example evil@x.example",
    "a@b.example\r\nBcc: evil@x.example",
    "a@b.example\nRCPT TO:<evil@x.example>",
    "a@b.example\u2028",
    "a@b.example\0",
    "a@b@c.example",
    "<a@b.example>",
    "Marie <a@b.example>",
    "a@b.example>,<evil@x.example",
    '"a b"@b.example',
    '"a@b.example,"@x.example',
    "a(comment)@b.example",
    "group: a@b.example;",
    "=?utf-8?q?a=40b.example=2C?=@x.example",
    "a@[127.0.0.1]",
    "a..b@b.example",
    ".a@b.example",
    "a@b..example",
    "é@b.example",
    "a@école.example",
    " a@b.example",
    "a@b.example ",
    "a" * 250 + "@b.example",
    "a" * 70_000 + "@b.example",
]


def received(mail: Mail) -> EmailMessage:
    """Return what a reader makes of the message on the wire."""
    return message_from_bytes(as_message(mail).as_bytes(), policy=SMTP)


def body(message: EmailMessage, kind: str) -> str:
    """Return one of the two bodies, with the line ends of this side."""
    part = message.get_body((kind,))
    assert part is not None
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode().replace("\r\n", "\n")


def send(mailer: SMTPMailer, *mails: Mail) -> None:
    """Send over one connection."""
    with mailer.connect() as deliver:
        for mail in mails:
            deliver(mail)


class TestAsMessage:
    def test_headers(self) -> None:
        """A mail says from whom, to whom, when and that a machine wrote it, and nothing more."""
        message = received(MAIL)

        assert HEADERS == message.keys()
        assert MAIL.sender == message["From"]
        assert MAIL.to == message["To"]
        assert MAIL.reply_to == message["Reply-To"]
        assert MAIL.subject == message["Subject"]
        assert MAIL.date == message["Date"].datetime
        assert MAIL.message_id == message["Message-ID"]
        assert "auto-generated" == message["Auto-Submitted"]
        assert "fr" == message["Content-Language"]

    def test_no_reply_to(self) -> None:
        """Without an address for replies there is no such header."""
        assert "Reply-To" not in received(attrs.evolve(MAIL, reply_to=None))

    def test_alternatives(self) -> None:
        """The text comes first and the HTML last, as the richer of two alternatives."""
        message = received(MAIL)

        assert "multipart/alternative" == message.get_content_type()
        assert ["text/plain", "text/html"] == [
            part.get_content_type() for part in message.iter_parts()
        ]

    def test_bodies_unharmed(self) -> None:
        """Long links, accents, no-break spaces and lines of one dot arrive byte for byte."""
        message = received(MAIL)

        assert TEXT == body(message, "plain")
        assert HTML == body(message, "html")

    def test_fits_any_relay(self) -> None:
        """What goes over the wire is ASCII in short lines, so that no relay has to recode it."""
        wire = as_message(MAIL).as_bytes()

        assert wire.isascii()
        assert max(map(len, wire.split(b"\r\n"))) <= 78
        assert b"quoted-printable" not in wire

    @pytest.mark.parametrize(
        "sender",
        [
            "portail@ecole.example",
            "Portail <portail@ecole.example>",
            '"Tilleuls, école des" <portail@ecole.example>',
            "École, Bruxelles <portail@ecole.example>",
            "École (Bruxelles); 1: <portail@ecole.example>",
            "<portail@ecole.example>",
        ],
    )
    def test_sender(self, sender: str) -> None:
        """However the school calls itself, the sender is one address."""
        (address,) = received(attrs.evolve(MAIL, sender=sender))["From"].addresses

        assert "portail@ecole.example" == address.addr_spec
        assert sender.rpartition("<")[0].strip(' "') == address.display_name

    @pytest.mark.parametrize("to", NOT_ONE_ADDRESS)
    def test_not_one_recipient(self, to: str) -> None:
        """A recipient that is not exactly one bare address is refused, and not quoted."""
        with pytest.raises(MailRefusedError, match=r"^To ") as refusal:
            as_message(attrs.evolve(MAIL, to=to))

        assert len(to) < 2 or to not in str(refusal.value)

    @pytest.mark.parametrize("header", ["sender", "reply_to", "subject", "message_id", "locale"])
    @pytest.mark.parametrize("line_end", LINE_ENDS, ids=ascii)
    def test_line_ends(self, header: str, line_end: str) -> None:
        """Nothing that anybody takes for the end of a line gets into a header."""
        value = getattr(MAIL, header)
        for injected in (f"{value}{line_end}Bcc: evil@x.example", f"{line_end}{value}"):
            with pytest.raises(MailRefusedError):
                as_message(attrs.evolve(MAIL, **{header: injected}))

    @pytest.mark.parametrize("header", ["sender", "reply_to", "subject"])
    def test_encoded_word(self, header: str) -> None:
        """No encoded word is taken over, since decoding it may make a line end."""
        injected = "=?utf-8?q?x=0D=0ABcc:_evil=40x.example?= <a@b.example>"
        with pytest.raises(MailRefusedError):
            as_message(attrs.evolve(MAIL, **{header: injected}))

    @pytest.mark.parametrize(
        "address", ["a@b.example, c@d.example", "X <a@b.example>, <c@d.example>"]
    )
    @pytest.mark.parametrize("header", ["sender", "reply_to"])
    def test_two_mailboxes(self, header: str, address: str) -> None:
        """There is one sender and one address for replies."""
        with pytest.raises(MailRefusedError):
            as_message(attrs.evolve(MAIL, **{header: address}))

    @pytest.mark.parametrize(
        "message_id", ["", "a@b.example", "<a>", "<a@b.example> <c@d.example>"]
    )
    def test_message_id(self, message_id: str) -> None:
        """The Message-ID is one, in angle brackets."""
        with pytest.raises(MailRefusedError, match="Message-ID"):
            as_message(attrs.evolve(MAIL, message_id=message_id))

    @pytest.mark.parametrize("locale", ["", "fr,nl", "fr_BE", "français"])
    def test_locale(self, locale: str) -> None:
        """The language is one language tag."""
        with pytest.raises(MailRefusedError, match="Content-Language"):
            as_message(attrs.evolve(MAIL, locale=locale))

    def test_too_long(self) -> None:
        """A header of 70 kB is refused."""
        with pytest.raises(MailRefusedError, match="too long"):
            as_message(attrs.evolve(MAIL, subject="é" * 70_000))

    @pytest.mark.parametrize("part", ["text", "html"])
    def test_no_text(self, part: str) -> None:
        """A body that has no bytes is refused."""
        with pytest.raises(MailRefusedError):
            as_message(attrs.evolve(MAIL, **{part: "\ud800"}))

    @pytest.mark.parametrize(
        "subject",
        [
            "des – élémentaire élémentaire Élève Tilleuls » : votre 2026 – é,é des accès « Les",
            "élémentaire des connexion : Élève : l’espace connexion :",
            "Votre accès à l’espace des parents de l’école maternelle et élémentaire Saint-Élie",
            "x" * 200,
            "x,y;" * 50,
            "é" * 300,
        ],
    )
    def test_subject_keeps_spaces(self, subject: str) -> None:
        """A long subject with accents arrives as it was written."""
        assert subject == received(attrs.evolve(MAIL, subject=subject))["Subject"]


PIECES = [
    *LINE_ENDS,
    *("a", "é", " ", "  ", ".", ",", ";", ":", '"', "\\", "(", ")", "<", ">", "@b.example"),
    *("=?", "?=", "=?utf-8?q?", "=0D=0A", "Bcc: x@y.example", "\u00a0", "\u200b", "\u202e"),
]
NASTY = st.lists(st.sampled_from(PIECES) | st.characters(), max_size=12).map("".join)
HARMLESS = st.text(st.sampled_from('aé ’«\u00a0,;.<>@"x'), max_size=200).map(str.strip)


class TestInjection:
    @given(to=NASTY | st.sampled_from(NOT_ONE_ADDRESS))
    @example(to="a@b.example, evil@x.example")
    @settings(max_examples=300, deadline=None)
    def test_recipient(self, to: str) -> None:
        """Whatever the recipient, either no mail is built or one for that very address."""
        try:
            message = received(attrs.evolve(MAIL, to=to))
        except MailRefusedError:
            return

        assert [to] == [address.addr_spec for address in message["To"].addresses]
        assert f"<{to}>" == smtplib.quoteaddr(to)
        assert HEADERS == message.keys()

    @given(subject=NASTY, name=NASTY, reply_to=NASTY)
    @settings(max_examples=300, deadline=None)
    def test_other_headers(self, subject: str, name: str, reply_to: str) -> None:
        """Whatever the other headers, no header, recipient or sender is added to those built."""
        mail = attrs.evolve(
            MAIL,
            subject=subject,
            sender=f"{name} <portail@ecole.example>",
            reply_to=f"{reply_to} <a@b.example>",
        )
        try:
            message = received(mail)
        except MailRefusedError:
            return

        assert HEADERS == message.keys()
        assert [MAIL.to] == [address.addr_spec for address in message["To"].addresses]
        assert ["portail@ecole.example"] == [
            address.addr_spec for address in message["From"].addresses
        ]
        assert ["a@b.example"] == [address.addr_spec for address in message["Reply-To"].addresses]
        assert TEXT == body(message, "plain")

    @given(subject=NASTY.map(str.strip) | HARMLESS)
    @settings(max_examples=300, deadline=None)
    def test_subject(self, subject: str) -> None:
        """A subject that is not refused arrives as it was written."""
        mail = attrs.evolve(MAIL, subject=subject)
        try:
            wire = as_message(mail).as_bytes()
        except MailRefusedError:
            return

        assert subject == received(mail)["Subject"]
        assert max(map(len, wire.split(b"\r\n"))) <= 78


class TestSettings:
    @pytest.mark.parametrize(
        ("url", "security", "port"),
        [
            ("smtps://mail.ecole.example", "tls", 465),
            ("smtp+starttls://mail.ecole.example", "starttls", 587),
            ("smtps://mail.ecole.example:2465/", "tls", 2465),
            ("smtp://localhost", "plain", 25),
            ("smtp://127.0.0.1:1025", "plain", 1025),
            ("smtp://[::1]:1025", "plain", 1025),
        ],
    )
    def test_url(self, url: str, security: str, port: int) -> None:
        """The URL says how the connection is protected, and the port where it is unusual."""
        mailer = SMTPMailer.from_url(url)

        assert (security, port) == (mailer.security, mailer.port)
        assert (None, None) == (mailer.username, mailer.password)

    def test_url_credentials(self) -> None:
        """User and password are percent-decoded."""
        mailer = SMTPMailer.from_url("smtps://user%40ecole.example:p%2F%3A%40%25@mail.example")

        assert ("user@ecole.example", "p/:@%") == (mailer.username, mailer.password)

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "mail.ecole.example",
            "https://mail.ecole.example",
            "smtps://",
            "smtps://:465",
            "smtps://user:hunter2@",
            "smtps://user:hunter2@mail.example:port",
            "smtps://user:hunter2@mail.example:99999",
            "smtps://user:hunter2/x@mail.example:465",
            "smtps://user:2/hunter2@mail.example:465",
            "smtps://user:hunter2#x@mail.example",
            "smtps://user:hunter2?x@mail.example",
            "smtps://user:hunter2%FF@mail.example",
            "smtps://user:hunter2%C3%A9@mail.example",
            "smtps://user:hunter2@[mail.example",
            "smtps://user@mail.example",
            "smtps://:hunter2@mail.example",
            "smtps://user:hunter2@mail..example",
            "smtp://user:hunter2@mail.ecole.example",
            "smtp://192.168.1.2",
        ],
    )
    def test_url_refused(self, url: str) -> None:
        """A URL that can't be used is refused before any mail, without showing the password."""
        with pytest.raises(ConfigurationError) as refusal:
            SMTPMailer.from_url(url)

        assert "hunter2" not in str(refusal.value)

    def test_repr(self) -> None:
        """The password is in no repr."""
        assert "hunter2" not in repr(SMTPMailer.from_url("smtps://user:hunter2@mail.example"))

    def test_clear_text_cure(self) -> None:
        """Mail in clear text to another machine is refused with what to write instead."""
        with pytest.raises(ConfigurationError, match=r"smtp\+starttls://"):
            SMTPMailer("mail.ecole.example", 25, security="plain")

    def test_context_must_check(self) -> None:
        """A context that does not check certificates is refused."""
        context = ssl.create_default_context()
        context.check_hostname = False
        with pytest.raises(ConfigurationError, match="cafile"):
            SMTPMailer("mail.ecole.example", 465, ssl_context=context)

    @pytest.mark.parametrize("arguments", [{"security": "none"}, {"timeout": 0}])
    def test_refused(self, arguments: dict[str, object]) -> None:
        """Settings without a meaning are refused."""
        with pytest.raises(ConfigurationError):
            SMTPMailer("mail.ecole.example", 465, **arguments)  # type: ignore[arg-type]


@pytest.fixture(name="sink")
def _sink() -> Iterator[SMTPSink]:
    with smtp_sink() as sink:
        yield sink


class TestSend:
    def test_arrives(self, sink: SMTPSink) -> None:
        """The mail arrives unharmed at one recipient, from the bare sender."""
        send(SMTPMailer.from_url(sink.url), MAIL)

        (message,) = sink.messages
        assert HEADERS == [name for name in message if not name.startswith("X-")]
        assert TEXT == body(message, "plain")
        assert HTML == body(message, "html")
        assert [MAIL.to] == sink.rcpt
        assert "portail@ecole.example" == sink.envelopes[0].mail_from

    def test_one_connection(self, sink: SMTPSink) -> None:
        """All mails of a batch go over one connection, which is closed at the end."""
        others = [attrs.evolve(MAIL, to=f"parent{number}@example.com") for number in range(5)]
        send(SMTPMailer.from_url(sink.url), *others)

        assert [mail.to for mail in others] == sink.recipients
        assert 1 == sink.opened
        assert sink.wait_closed()

    def test_body_fails(self, sink: SMTPSink) -> None:
        """The connection is closed when something else goes wrong during the batch."""
        with pytest.raises(KeyError), SMTPMailer.from_url(sink.url).connect():
            raise KeyError

        assert sink.wait_closed()

    @pytest.mark.parametrize("to", NOT_ONE_ADDRESS[:20])
    def test_not_one_recipient(self, sink: SMTPSink, to: str) -> None:
        """A recipient that is not exactly one address is never named to the server."""
        with SMTPMailer.from_url(sink.url).connect() as deliver:
            with pytest.raises(MailRefusedError):
                deliver(attrs.evolve(MAIL, to=to))
            deliver(MAIL)

        assert [MAIL.to] == sink.rcpt

    @pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
    @pytest.mark.parametrize("code", ["451 4.7.1 greylisted", "452 full"])
    def test_delayed(self, sink: SMTPSink, verb: str, code: str) -> None:
        """What the server puts off is delayed, surely not sent, and the next mail goes out."""
        sink.answers[verb] = code
        with SMTPMailer.from_url(sink.url).connect() as deliver:
            with pytest.raises(MailDelayedError, match=rf"^{code}$") as delay:
                deliver(MAIL)
            sink.answers.clear()
            deliver(MAIL)

        assert not delay.value.maybe_sent
        assert 1 == len(sink.envelopes)
        assert 1 == sink.opened

    @pytest.mark.parametrize("verb", ["RCPT", "DATA"])
    def test_refused(self, sink: SMTPSink, verb: str) -> None:
        """What the server refuses for good is refused, and the next mail goes out."""
        sink.answers[verb] = "550 5.1.1 no such user"
        with SMTPMailer.from_url(sink.url).connect() as deliver:
            with pytest.raises(MailRefusedError, match=r"^550 5\.1\.1 no such user$"):
                deliver(MAIL)
            sink.answers.clear()
            deliver(MAIL)

        assert 1 == len(sink.envelopes)

    def test_sender_refused(self, sink: SMTPSink) -> None:
        """A refused sender is a wrong setting: mails wait until it is mended."""
        sink.answers["MAIL"] = "553 5.7.1 sender not owned by user"
        with pytest.raises(MailDelayedError, match=r"^553 5\.7\.1 sender"):
            send(SMTPMailer.from_url(sink.url), MAIL)

        assert [] == sink.rcpt

    def test_reason_is_masked(self, sink: SMTPSink) -> None:
        """No reason holds an address, neither the recipient's nor one that it forwards to."""
        sink.answers["RCPT"] = "550 <{address}>: forwards to marie@prive.example: full"
        with pytest.raises(MailRefusedError) as refusal:
            send(SMTPMailer.from_url(sink.url), MAIL)

        assert refusal.value.reason == (
            "550 <M***@example.com>: forwards to m***@prive.example: full"
        )
        assert refusal.value.__cause__ is None


@pytest.fixture(name="authority", scope="module")
def _authority() -> trustme.CA:
    return trustme.CA()


def server_context(
    authority: trustme.CA, *names: str, until: datetime | None = None
) -> ssl.SSLContext:
    """Return a server's context with a certificate for *names*."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names, not_after=until).configure_cert(context)
    return context


@pytest.fixture(name="trusting")
def _trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


class TestTLS:
    @pytest.mark.parametrize("kind", ["tls", "starttls"])
    def test_arrives(self, authority: trustme.CA, trusting: ssl.SSLContext, kind: str) -> None:
        """Mail goes over TLS to a server whose certificate is good."""
        with smtp_sink(**{kind: server_context(authority, HOST)}) as sink:  # type: ignore[arg-type]
            send(SMTPMailer.from_url(sink.url, ssl_context=trusting), MAIL)

            assert [MAIL.to] == sink.recipients
            assert sink.wait_closed()

    def test_login(self, authority: trustme.CA, trusting: ssl.SSLContext) -> None:
        """User and password are given after the connection is protected."""
        with smtp_sink(starttls=server_context(authority, HOST), auth=True) as sink:
            url = sink.url.replace("//", "//user:p%40ss@")
            send(SMTPMailer.from_url(url, ssl_context=trusting), MAIL)

            assert ("user", "p@ss") in sink.logins
            assert [MAIL.to] == sink.recipients

    def test_login_refused(self, authority: trustme.CA, trusting: ssl.SSLContext) -> None:
        """A wrong password delays mails until it is mended."""
        with smtp_sink(starttls=server_context(authority, HOST), auth=True) as sink:
            sink.answers["AUTH"] = "535 5.7.8 wrong"
            url = sink.url.replace("//", "//user:hunter2@")
            with pytest.raises(MailDelayedError, match=r"^535") as delay:
                send(SMTPMailer.from_url(url, ssl_context=trusting), MAIL)

            assert "hunter2" not in str(delay.value)
            assert not delay.value.maybe_sent
            assert sink.wait_closed()

    @pytest.mark.parametrize("answers", [{}, {"EHLO": "250-faulty.example.com\r\n250 SIZE 9"}])
    def test_starttls_stripped(self, trusting: ssl.SSLContext, answers: dict[str, str]) -> None:
        """Where STARTTLS is not offered nothing is said in clear text, no login and no mail."""
        with faulty_server({"AUTH": "235 OK", **answers}) as server:
            mailer = SMTPMailer(
                HOST,
                server.port,
                security="starttls",
                username="user",
                password="hunter2",
                ssl_context=trusting,
            )
            with pytest.raises(MailDelayedError, match="STARTTLS") as delay:
                send(mailer, MAIL)

            assert not delay.value.maybe_sent
            assert {"EHLO"} >= set(server.verbs)
            assert b"" == server.content

    @pytest.mark.parametrize("answer", ["454 TLS not available", "502 no"])
    def test_starttls_refused(self, trusting: ssl.SSLContext, answer: str) -> None:
        """Where STARTTLS is offered and then refused nothing more is said."""
        script = {"EHLO": "250-faulty.example.com\r\n250 STARTTLS", "STARTTLS": answer}
        with faulty_server(script) as server:
            mailer = SMTPMailer(HOST, server.port, security="starttls", ssl_context=trusting)
            with pytest.raises(MailDelayedError, match=rf"^{answer}"):
                send(mailer, MAIL)

            assert {"EHLO", "STARTTLS"} == set(server.verbs)
            assert b"" == server.content

    @pytest.mark.parametrize("security", ["tls", "starttls"])
    @pytest.mark.parametrize("fault", ["stranger", "name", "expired"])
    def test_bad_certificate(
        self, authority: trustme.CA, trusting: ssl.SSLContext, security: str, fault: str
    ) -> None:
        """A certificate that is a stranger's, another host's or expired gets nothing."""
        bad = {
            "stranger": lambda: server_context(trustme.CA(), HOST),
            "name": lambda: server_context(authority, "other.example"),
            "expired": lambda: server_context(
                authority, HOST, until=datetime(2020, 1, 1, tzinfo=UTC)
            ),
        }[fault]()
        script = {"EHLO": "250-faulty.example.com\r\n250 STARTTLS"}
        if security == "tls":
            script["CONNECT"] = "tls"
        with faulty_server(script, tls=bad) as server:
            mailer = SMTPMailer(HOST, server.port, security=security, ssl_context=trusting)  # type: ignore[arg-type]
            with pytest.raises(MailDelayedError, match=r"^SSLCertVerificationError") as delay:
                send(mailer, MAIL)

            assert not delay.value.maybe_sent
            assert {"EHLO", "STARTTLS"} >= set(server.verbs)
            assert b"" == server.content

    def test_default_trust(self, authority: trustme.CA) -> None:
        """Without a context of its own, a mailer trusts the machine's authorities only."""
        script = {"CONNECT": "tls"}
        with faulty_server(script, tls=server_context(authority, HOST)) as server:
            with pytest.raises(MailDelayedError, match=r"^SSLCertVerificationError"):
                send(SMTPMailer(HOST, server.port), MAIL)

            assert [] == server.commands


def plain(port: int, timeout: float = 0.3) -> SMTPMailer:
    """Return a mailer that does not wait long."""
    return SMTPMailer(HOST, port, security="plain", timeout=timeout)


class TestLost:
    def test_nobody_listens(self, unused_port: int) -> None:
        """Where nobody listens, connecting says to try later."""
        with pytest.raises(MailDelayedError, match=r"^ConnectionRefusedError") as delay:
            send(plain(unused_port), MAIL)

        assert not delay.value.maybe_sent

    @pytest.mark.parametrize("banner", ["554 go away", "421 busy", "hello", DROP, HANG])
    def test_not_welcome(self, banner: str) -> None:
        """A server that does not greet delays the whole batch."""
        with faulty_server({"CONNECT": banner}) as server, pytest.raises(MailDelayedError) as delay:
            send(plain(server.port), MAIL)

        assert not delay.value.maybe_sent

    @pytest.mark.parametrize("verb", ["EHLO", "MAIL", "RCPT", "DATA"])
    @pytest.mark.parametrize("fault", [DROP, HANG, "hello", "421 shutting down"])
    def test_before_content(self, verb: str, fault: str) -> None:
        """A connection lost before the content left is a mail that surely was not sent."""
        script = {verb: fault} | ({"HELO": fault} if verb == "EHLO" else {})
        with faulty_server(script) as server, pytest.raises(MailDelayedError) as delay:
            send(plain(server.port), MAIL)

        assert b"" == server.content
        assert not delay.value.maybe_sent

    @pytest.mark.parametrize("fault", [DROP, HANG, "hello"])
    def test_after_content(self, fault: str) -> None:
        """A connection lost without an answer to the content is a mail that may have left."""
        with faulty_server({"CONTENT": fault}) as server, pytest.raises(MailDelayedError) as delay:
            send(plain(server.port), MAIL)

        assert as_message(MAIL)["Message-ID"].encode() in server.content
        assert delay.value.maybe_sent

    @pytest.mark.parametrize("answer", ["451 try later", "421 shutting down"])
    def test_content_put_off(self, answer: str) -> None:
        """Content that the server says it did not take was surely not sent."""
        with (
            faulty_server({"CONTENT": answer}) as server,
            pytest.raises(MailDelayedError, match=rf"^{answer}$") as delay,
        ):
            send(plain(server.port), MAIL)

        assert not delay.value.maybe_sent

    def test_content_refused(self) -> None:
        """Content that the server refuses for good is refused."""
        with (
            faulty_server({"CONTENT": "554 spam"}) as server,
            pytest.raises(MailRefusedError, match=r"^554 spam$"),
        ):
            send(plain(server.port), MAIL)

    @pytest.mark.parametrize("reset", [DROP, "500 what"])
    def test_rest_of_batch(self, reset: str) -> None:
        """Once the connection is lost or out of step, the rest of the batch is delayed at once."""
        with faulty_server({"RCPT": "451 later", "RSET": reset}) as server:
            with plain(server.port, timeout=5).connect() as deliver:
                begun = time.monotonic()
                for _ in range(5):
                    with pytest.raises(MailDelayedError) as delay:
                        deliver(MAIL)
                    assert not delay.value.maybe_sent

            assert 1 == server.verbs.count("RCPT")
            assert time.monotonic() - begun < 3

    @pytest.mark.parametrize("answer", [DROP, HANG, "500 what"])
    def test_good_bye(self, answer: str) -> None:
        """A mail that was taken stays taken, however the server says good-bye."""
        with faulty_server({"QUIT": answer}) as server:
            send(plain(server.port), MAIL)

            assert b"Subject:" in server.content

    def test_control_characters(self) -> None:
        """What the server wrote is one line, with its control characters made visible."""
        answer = "550-first\x1b[2J\r\n550 sec\xffond\x07"
        with faulty_server({"RCPT": answer}) as server, pytest.raises(MailRefusedError) as refusal:
            send(plain(server.port), MAIL)

        assert r"550 first\x1b[2J sec\xffond\x07" == refusal.value.reason

    def test_long_answer(self) -> None:
        """A reason stays short, however much the server wrote."""
        with (
            faulty_server({"RCPT": "550 " + "x" * 4_000}) as server,
            pytest.raises(MailRefusedError) as refusal,
        ):
            send(plain(server.port), MAIL)

        assert len(refusal.value.reason) < 600


@pytest.fixture(name="unused_port")
def _unused_port() -> int:
    with faulty_server() as server:
        return server.port


class TestConsoleMailer:
    def test_prints(self) -> None:
        """It prints the headers that matter and the text, and says that nothing was sent."""
        stream = io.StringIO()
        with ConsoleMailer(stream).connect() as deliver:
            deliver(MAIL)

        printed = stream.getvalue()
        assert "not sent" in printed
        assert f"From: {MAIL.sender}\nTo: {MAIL.to}\nSubject: {MAIL.subject}\n\n{TEXT}" in printed

    def test_standard_output(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Without a stream it prints to standard output."""
        with ConsoleMailer().connect() as deliver:
            deliver(MAIL)

        assert LINK in capsys.readouterr().out

    def test_refuses(self) -> None:
        """It refuses what a mail server would never be given."""
        with ConsoleMailer(io.StringIO()).connect() as deliver, pytest.raises(MailRefusedError):
            deliver(attrs.evolve(MAIL, to="a@b.example, evil@x.example"))


class TestFileMailer:
    def test_newest_first(self, tmp_path: Path) -> None:
        """Each mail is a file of its own, and the newest is listed first."""
        mailer = FileMailer(tmp_path / "mails")
        with mailer.connect() as deliver:
            for number in range(5):
                deliver(attrs.evolve(MAIL, subject=f"Mail {number}"))

        assert [f"Mail {number}" for number in (4, 3, 2, 1, 0)] == [
            message["Subject"] for message in mailer.messages()
        ]
        assert TEXT == body(mailer.messages()[0], "plain")

    def test_private(self, tmp_path: Path) -> None:
        """The files hold tokens: only this user can read them."""
        mailer = FileMailer(str(tmp_path / "new" / "mails"))
        with mailer.connect() as deliver:
            deliver(MAIL)

        directory = tmp_path / "new" / "mails"
        (file,) = directory.iterdir()
        assert ".eml" == file.suffix
        assert 0o600 == stat.S_IMODE(file.stat().st_mode)
        assert 0o700 == stat.S_IMODE(directory.stat().st_mode)

    def test_nothing_yet(self, tmp_path: Path) -> None:
        """Before the first mail there are none."""
        assert [] == FileMailer(tmp_path / "mails").messages()

    def test_half_written(self, tmp_path: Path) -> None:
        """A file that is not whole yet is no mail."""
        (tmp_path / "x.part").write_bytes(b"From: ")

        assert [] == FileMailer(tmp_path).messages()

    def test_disk_fails(self, tmp_path: Path) -> None:
        """A mail that can't be written is delayed."""
        (tmp_path / "file").touch()
        with pytest.raises(MailDelayedError), FileMailer(tmp_path / "file").connect():
            pass

    def test_refuses(self, tmp_path: Path) -> None:
        """It refuses what a mail server would never be given."""
        with FileMailer(tmp_path).connect() as deliver, pytest.raises(MailRefusedError):
            deliver(attrs.evolve(MAIL, to="a@b.example, evil@x.example"))

        assert [] == list(tmp_path.iterdir())
