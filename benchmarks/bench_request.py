"""A signed-in request beside one to a bare view."""

import io

from collections.abc import Callable
from typing import Any, Final

from flask import Flask

from measure import in_turn, row, seconds, table
from parentauth import Argon2Hasher
from parentauth.flask import ParentAuth, auth_of, child_required, current_child, current_parent
from school import (
    BASE_URL,
    PASSWORD,
    SECRET,
    USERNAME,
    DroppingMailer,
    connect_parent,
    families,
    file_storage,
    folder,
    make_auth,
    statements,
)

TURNS: Final = 101
EACH: Final = 20
PARENTS: Final = 1000
GOAL_STATEMENTS: Final = 2
GOAL_OVERHEAD: Final = 0.5e-3


def sender(app: Flask, path: str, cookie: str) -> Callable[[], None]:
    """Return what opens a page, without a server in between."""
    origin = BASE_URL.partition("://")[2]
    template: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": origin,
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.7",
        "HTTP_HOST": origin,
        "HTTP_COOKIE": cookie,
        "HTTP_ACCEPT_LANGUAGE": "fr-BE,fr;q=0.9,en;q=0.5",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }

    def send() -> None:
        environ = {**template, "wsgi.input": io.BytesIO()}
        answers: list[str] = []
        body: Any = app.wsgi_app(environ, lambda status, _headers: answers.append(status))
        b"".join(body)
        body.close()
        assert answers == ["200 OK"], answers

    return send


with folder() as place, table("signed-in request"):
    storage, hasher = file_storage(place / "portal.db"), Argon2Hasher.for_tests()
    make_auth(storage).save(families(PARENTS))
    connect_parent(storage, hasher)
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=SECRET[::-1],
        PARENTAUTH_SECRET_KEYS=[SECRET],
        PARENTAUTH_BASE_URL=BASE_URL,
        PARENTAUTH_SCHOOL_NAME="École des Tilleuls",
        PARENTAUTH_DASHBOARD="/child/{child_id}",
    )
    ParentAuth(app, storage=storage, mailer=DroppingMailer(), hasher=hasher)

    @app.get("/marks")
    @child_required
    def marks() -> str:
        """Show a page that is a child's."""
        return f"{current_child.name}, {current_parent.name}"

    bare = Flask(__name__)
    bare.config["SECRET_KEY"] = SECRET[::-1]

    @bare.get("/marks")
    def bare_marks() -> str:
        """Show the same to everybody."""
        return "Enfant 0, Parent 0"

    session_id = auth_of(app).sign_in(username=USERNAME, password=PASSWORD).session_id
    cookie = f"__Host-parentauth={session_id}"
    ours = sender(app, "/marks", cookie)
    ours()
    with statements(storage.engine) as sent:
        ours()
    row(
        "statements of a child_required view",
        ours=f"{len(sent)}",
        goal=f"≤ {GOAL_STATEMENTS}",
        met=len(sent) <= GOAL_STATEMENTS,
    )
    pair = in_turn(ours, sender(bare, "/marks", cookie), turns=TURNS, each=EACH)
    row(
        "child_required view, SQLite file, over a bare view",
        ours=seconds(pair.our_median),
        reference=seconds(pair.reference_median),
        ratio=f"+{seconds(pair.overhead.median)} ±{seconds(pair.overhead.noise)}",
        goal=f"+≤ {seconds(GOAL_OVERHEAD)}",
        met=pair.overhead.median <= GOAL_OVERHEAD,
    )
