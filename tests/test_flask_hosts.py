"""Over a real socket: what a test client cleans up, a live server receives."""

import socket
import threading

from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import attrs
import pytest

from werkzeug.serving import make_server

from tests.flask_app import Site
from tests.school import BASE_URL, HOUR


@attrs.frozen
class Answer:
    """What came back over the wire."""

    status: int
    headers: list[tuple[str, str]]
    body: str

    def all(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


@attrs.define
class Wire:
    """A live server, spoken to byte by byte."""

    site: Site
    port: int

    def say(self, request: bytes) -> Answer:
        """Send bytes, and read the answer until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(request)
            data = b""
            while chunk := connection.recv(65536):
                data += chunk
        head, _, body = data.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = [
            (name, value.strip()) for name, _, value in (line.partition(":") for line in lines)
        ]
        return Answer(int(status.split()[1]), headers, body.decode("utf-8", "replace"))

    def get(self, target: str, *headers: str) -> Answer:
        """Send a GET with exactly these headers."""
        return self.say("\r\n".join([f"GET {target} HTTP/1.1", *headers, "", ""]).encode("latin-1"))

    def post(self, target: str, body: str, *headers: str) -> Answer:
        """Send a form with exactly these headers."""
        lines = [
            f"POST {target} HTTP/1.1",
            "Content-Type: application/x-www-form-urlencoded",
            f"Content-Length: {len(body)}",
            "Connection: close",
            *headers,
        ]
        return self.say("\r\n".join([*lines, "", body]).encode("latin-1"))


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """Serve a portal whose host forgot to restrict host names."""
    site = Site()
    server = make_server("127.0.0.1", 0, site.app, threaded=True)
    server.log = lambda *_: None  # type: ignore[method-assign]
    server.RequestHandlerClass.log_request = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield Wire(site, server.server_port)
    server.shutdown()
    thread.join()
    server.server_close()


VARIANTS = {
    "plain": ("/forgot", ["Host: portail.ecole.be"]),
    "host": ("/forgot", ["Host: evil.example"]),
    "host with port": ("/forgot", ["Host: evil.example:8080"]),
    "host with user": ("/forgot", ["Host: portail.ecole.be:x@evil.example"]),
    "two hosts": ("/forgot", ["Host: portail.ecole.be", "Host: evil.example"]),
    "two hosts, other order": ("/forgot", ["Host: evil.example", "Host: portail.ecole.be"]),
    "no host": ("/forgot", []),
    "empty host": ("/forgot", ["Host:"]),
    "forwarded host": ("/forgot", ["Host: portail.ecole.be", "X-Forwarded-Host: evil.example"]),
    "forwarded server": ("/forgot", ["Host: portail.ecole.be", "X-Forwarded-Server: evil.example"]),
    "host header": ("/forgot", ["Host: portail.ecole.be", "X-Host: evil.example"]),
    "forwarded": ("/forgot", ["Host: portail.ecole.be", "Forwarded: host=evil.example;proto=http"]),
    "original": (
        "/forgot",
        ["Host: portail.ecole.be", "X-Original-URL: http://evil.example/", "X-Rewrite-URL: /evil"],
    ),
    "absolute form": ("http://evil.example/forgot", ["Host: portail.ecole.be"]),
    "absolute form and host": ("https://evil.example/forgot", ["Host: evil.example"]),
    "protocol": (
        "/forgot",
        ["Host: evil.example", "X-Forwarded-Proto: http", "X-Forwarded-Port: 81"],
    ),
    "prefix": ("/forgot", ["Host: portail.ecole.be", "X-Forwarded-Prefix: //evil.example"]),
    "space before": ("/forgot", [" Host: evil.example"]),
    "letters": ("/forgot", ["Host: évil.example"]),
}


class TestLinkHost:
    @pytest.mark.parametrize("name", VARIANTS)
    def test_mail(self, wire: Wire, name: str) -> None:
        """The link in a mail is made from the configuration, however the request was addressed."""
        target, headers = VARIANTS[name]
        page = wire.get(target, *headers, "Connection: close")
        assert "evil" not in page.body
        assert "evil" not in "".join(page.all("Location"))
        if page.status != 200:
            # The server itself refused to understand it.
            assert page.status in {400, 404}
            return
        csrf = page.body.split('name="csrf_token" value="')[1].split('"')[0]
        cookie = page.all("Set-Cookie")[0].split(";")[0]
        before = len(wire.site.mailer.sent)
        # As an attacker sends it, without what a browser says of itself.
        email = f"csrf_token={csrf}&email=anna@example.be"
        answer = wire.post(target, email, *headers, f"Cookie: {cookie}")
        wire.site.deliver(after=9 * HOUR)
        [mail] = wire.site.mailer.sent[before:]

        assert 303 == answer.status
        assert ["/forgot?notice=sent"] == answer.all("Location")
        for part in (mail.text, mail.html, mail.message_id, mail.subject):
            assert "evil" not in part
        assert f"{BASE_URL}/token/" in mail.text
        assert f"{BASE_URL}/token/" in mail.html

    @pytest.mark.parametrize("name", VARIANTS)
    @pytest.mark.parametrize("path", ["/login", "/children", "/.well-known/change-password"])
    def test_pages(self, wire: Wire, name: str, path: str) -> None:
        """No page and no redirect repeats where the request said that it goes."""
        target, headers = VARIANTS[name]
        answer = wire.get(target.replace("/forgot", path), *headers, "Connection: close")

        assert "evil" not in answer.body
        assert "evil" not in "".join(answer.all("Location"))


class TestOnTheWire:
    def test_head(self, wire: Wire) -> None:
        """HEAD has the headers of GET and no body."""
        head = wire.say(b"HEAD /login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

        assert (200, "") == (head.status, head.body)
        assert ["no-store"] == head.all("Cache-Control")

    def test_date(self, wire: Wire) -> None:
        """Each header comes once, the date included."""
        answer = wire.get("/login", "Host: x", "Connection: close")
        names = [name.lower() for name, _ in answer.headers if name.lower() != "set-cookie"]

        assert len(names) == len(set(names))
        assert parsedate_to_datetime(answer.all("Date")[0])

    @pytest.mark.parametrize(
        "cookie",
        [
            "__Host-parentauth=x; __Host-parentauth=y",
            "__Host-parentauth",
            "=;;=;",
            "__Host-parentauth=" + "x" * 8000,
            '__Host-parentauth="\\000\\377"',
            "__Host-parentauth-device=.eJwAAA.x",
            "session=.eJw.x",
        ],
    )
    def test_cookies(self, wire: Wire, cookie: str) -> None:
        """Cookies of any shape lead to the ordinary page."""
        assert 200 == wire.get("/login", "Host: x", f"Cookie: {cookie}", "Connection: close").status

    @pytest.mark.parametrize(
        "path", ["/token/x%0d%0aX:1", "/login?next=%0d%0aX:1", "/token/a%2f..%2fb"]
    )
    def test_line_ends(self, wire: Wire, path: str) -> None:
        """No line end of a request gets into the headers."""
        answer = wire.get(path, "Host: x", "Connection: close")

        assert answer.status in {200, 404}
        assert [] == answer.all("X")

    def test_form_cut_short(self, wire: Wire) -> None:
        """A form whose sender hung up does nothing."""
        before = wire.site.outbox
        with socket.create_connection(("127.0.0.1", wire.port), timeout=10) as connection:
            connection.sendall(
                b"POST /forgot HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
                b"Content-Type: application/x-www-form-urlencoded\r\n\r\nemail=an"
            )
        assert 200 == wire.get("/login", "Host: x", "Connection: close").status
        assert before == wire.site.outbox

    def test_negative_length(self, wire: Wire) -> None:
        """Nor does one whose length is nonsense."""
        for length in ("-1", "abc", "99999999999999999999"):
            answer = wire.say(
                f"POST /forgot HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n"
                "Connection: close\r\n\r\n".encode()
            )
            assert answer.status in {400, 403, 413}
