"""Sign-in through the core beside bare Argon2, and through Flask beside bare views."""

import io

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import sqlalchemy

from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST, RFC_9106_LOW_MEMORY
from flask import Flask, Response, redirect, request

from measure import in_turn, row, seconds, table
from parentauth import Argon2Hasher
from parentauth.flask import ParentAuth
from parentauth.ports import Storage
from parentauth.storage.memory import MemoryStorage
from parentauth.storage.sqlalchemy import SQLAlchemyStorage
from school import (
    BASE_URL,
    PASSWORD,
    SECRET,
    USERNAME,
    DroppingMailer,
    connect_parent,
    copy_database,
    families,
    file_storage,
    folder,
    make_auth,
    statements,
)

TURNS: Final = 60
FLASK_TURNS: Final = 300
PARENTS: Final = 1000
GOAL_CORE: Final = 1.03
GOAL_OVERHEAD: Final = 2e-3

Sent = Sequence[tuple[str, Any]]


def core(storage: Storage, name: str) -> None:
    """Compare the core's sign-in with a verification at RFC 9106's low-memory parameters."""
    hasher = Argon2Hasher()
    auth = make_auth(storage, hasher=hasher)
    auth.save(families(1))
    password_hash = connect_parent(storage, hasher).password_hash
    assert password_hash is not None
    bare = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
    pair = in_turn(
        lambda: auth.sign_in(username=USERNAME, password=PASSWORD),
        lambda: bare.verify(password_hash, PASSWORD),
        turns=TURNS,
    )
    row(
        f"core, {name} ÷ bare Argon2id, 64 MiB",
        ours=seconds(pair.our_median),
        reference=seconds(pair.reference_median),
        ratio=pair.slowness.times(),
        goal=f"≤ {GOAL_CORE}",
        met=pair.slowness.median <= GOAL_CORE,
    )


# -- Through Flask


class Sender:
    """
    Sends one form to an application, over and over, without a server in between.

    Args:
        cookie: The ``Cookie`` header.
    """

    def __init__(self, app: Flask, path: str, form: dict[str, str], cookie: str = "") -> None:
        self._app = app
        self._body = urlencode(form).encode()
        origin = BASE_URL.partition("://")[2]
        self._environ: dict[str, Any] = {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": origin,
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.7",
            "HTTP_HOST": origin,
            "HTTP_ORIGIN": BASE_URL,
            "HTTP_REFERER": f"{BASE_URL}/login",
            "HTTP_COOKIE": cookie,
            "HTTP_ACCEPT_LANGUAGE": "fr-BE,fr;q=0.9,en;q=0.5",
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(self._body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }

    def __call__(self) -> None:
        """Send it."""
        environ = {**self._environ, "wsgi.input": io.BytesIO(self._body)}
        answers: list[str] = []
        body: Any = self._app.wsgi_app(environ, lambda status, _headers: answers.append(status))
        b"".join(body)
        body.close()
        assert answers == ["303 SEE OTHER"], answers


def our_app(storage: Storage) -> Flask:
    """Return a portal."""
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=SECRET[::-1],
        PARENTAUTH_SECRET_KEYS=[SECRET],
        PARENTAUTH_BASE_URL=BASE_URL,
        PARENTAUTH_SCHOOL_NAME="École des Tilleuls",
        PARENTAUTH_DASHBOARD="/child/{child_id}",
    )
    ParentAuth(app, storage=storage, mailer=DroppingMailer(), hasher=Argon2Hasher.for_tests())
    return app


def our_sender(app: Flask) -> Sender:
    """Open the sign-in page and return what sends its form."""
    client = app.test_client()
    page = client.get("/login", base_url=BASE_URL)
    csrf = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    form = {"csrf_token": csrf, "username": USERNAME, "password": PASSWORD}
    return Sender(app, "/login", form, cookie)


def bare_app(work: Callable[[], object]) -> Flask:
    """Return an application with one view that does just *work*."""
    app = Flask(__name__)
    app.config["SECRET_KEY"] = SECRET[::-1]

    @app.post("/login")
    def login() -> Any:  # noqa: ANN401
        work()
        return redirect("/child/c0", code=303)

    @app.post("/form")
    def form() -> Response:
        work()
        response = Response(status=303, headers={"Location": "/child/c0"})
        response.set_cookie("session", request.form["username"])
        return response

    return app


def replay(
    engine: sqlalchemy.Engine, recorded: Iterator[Sent], password_hash: str
) -> Callable[[], object]:
    """Return what executes the statements of one sign-in, in their order, and verifies once."""
    bare = PasswordHasher.from_parameters(CHEAPEST)

    def work() -> None:
        bare.verify(password_hash, PASSWORD)
        with engine.connect() as connection:
            for statement, values in next(recorded):
                result = connection.exec_driver_sql(statement, values or None)
                if result.returns_rows:
                    result.fetchall()
                # It does the same work: what was recorded fits what is there.
                assert result.rowcount or not statement.startswith("UPDATE")

    return work


def record(path: Path, count: int) -> list[Sent]:
    """Return what each of *count* sign-ins sends to the database."""
    storage = SQLAlchemyStorage.from_url(f"sqlite:///{path}")
    send = our_sender(our_app(storage))
    sent: list[Sent] = []
    with statements(storage.engine) as each:
        for _ in range(count):
            send()
            sent.append(tuple(each))
            each.clear()
    storage.engine.dispose()
    return sent


def through_flask(at: Path) -> None:
    """Compare the portal's sign-in with an empty view, and with its own statements alone."""
    storage, hasher = file_storage(at / "ours.db"), Argon2Hasher.for_tests()
    make_auth(storage).save(families(PARENTS))
    account = connect_parent(storage, hasher)
    assert account.password_hash is not None
    ours = our_sender(our_app(storage))
    for _ in range(12):
        ours()
    copy_database(at / "ours.db", at / "recorded.db")
    copy_database(at / "ours.db", at / "replayed.db")

    empty = Sender(bare_app(lambda: None), "/login", {"username": USERNAME, "password": PASSWORD})
    pair = in_turn(ours, empty, turns=FLASK_TURNS)
    row(
        "Flask, SQLite file, cheap Argon2, over an empty view",
        ours=seconds(pair.our_median),
        reference=seconds(pair.reference_median),
        ratio=f"+{seconds(pair.overhead.median)} ±{seconds(pair.overhead.noise)}",
        goal=f"+≤ {seconds(GOAL_OVERHEAD)}",
        met=pair.overhead.median <= GOAL_OVERHEAD,
    )

    # The first one opens the connection, too; it is what each begins with for nothing.
    sent = record(at / "recorded.db", FLASK_TURNS + 1)
    bare = SQLAlchemyStorage.from_url(f"sqlite:///{at / 'replayed.db'}")
    work = replay(bare.engine, iter(sent), account.password_hash)
    form = {"username": USERNAME, "password": PASSWORD}
    pair = in_turn(ours, Sender(bare_app(work), "/form", form), turns=FLASK_TURNS)
    row(
        f"the same ÷ a bare view with the same {len(sent[-1])} statements",
        ours=seconds(pair.our_median),
        reference=seconds(pair.reference_median),
        ratio=pair.slowness.times(),
    )


with folder() as place, table("sign-in"):
    core(MemoryStorage(), "memory")
    core(file_storage(place / "core.db"), "SQLite file")
    through_flask(place)
