"""A signed-in request beside one to a bare view."""

from typing import Final

from measure import in_turn, row, seconds, table
from portal import Sender, make_app, make_portal
from school import (
    PASSWORD,
    USERNAME,
    connect_parent,
    families,
    file_storage,
    folder,
    make_auth,
    statements,
)

from parentauth import Argon2Hasher
from parentauth.flask import auth_of, child_required, current_child, current_parent

TURNS: Final = 101
EACH: Final = 20
PARENTS: Final = 1000
GOAL_STATEMENTS: Final = 2
GOAL_OVERHEAD: Final = 0.5e-3

with folder() as place, table("signed-in request"):
    storage = file_storage(place / "portal.db")
    make_auth(storage).save(families(PARENTS))
    connect_parent(storage, Argon2Hasher.for_tests())
    app, bare = make_portal(storage), make_app()

    @app.get("/marks")
    @child_required
    def marks() -> str:
        """Show a page that is a child's."""
        return f"{current_child.name}, {current_parent.name}"

    @bare.get("/marks")
    def bare_marks() -> str:
        """Show the same to everybody."""
        return "Enfant 0, Parent 0"

    session_id = auth_of(app).sign_in(username=USERNAME, password=PASSWORD).session_id
    cookie = f"__Host-parentauth={session_id}"
    ours, reference = (Sender(each, "/marks", cookie=cookie) for each in (app, bare))
    ours()
    with statements(storage.engine) as sent:
        ours()
    row(
        "statements of a child_required view",
        ours=f"{len(sent)}",
        goal=f"≤ {GOAL_STATEMENTS}",
        met=len(sent) <= GOAL_STATEMENTS,
    )
    pair = in_turn(ours, reference, turns=TURNS, each=EACH)
    row(
        "child_required view, SQLite file, over a bare view",
        ours=seconds(pair.our_median),
        reference=seconds(pair.reference_median),
        ratio=pair.overhead.more(),
        goal=f"≤ +{seconds(GOAL_OVERHEAD)}",
        met=pair.overhead.median <= GOAL_OVERHEAD,
    )
